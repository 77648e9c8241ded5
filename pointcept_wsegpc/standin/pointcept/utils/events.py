"""Running statistics of the scalars that a training writes."""

from __future__ import annotations

from collections import defaultdict


class AverageMeter:
    """Latest value and mean of what was put in since the last reset; arrays are welcome."""

    def __init__(self):
        self.reset()

    def reset(self) -> None:
        self.val = self.avg = self.total = self.count = 0

    def update(self, value, n: int = 1) -> None:
        self.val, self.total, self.count = value, self.total + value * n, self.count + n
        self.avg = self.total / self.count


class EventStorage:
    """One meter per name."""

    def __init__(self):
        self._history: dict[str, AverageMeter] = defaultdict(AverageMeter)

    def put_scalar(self, name: str, value, n: int = 1) -> None:
        self._history[name].update(value, n)

    def history(self, name: str) -> AverageMeter:
        return self._history[name]

    def reset_histories(self) -> None:
        self._history.clear()
