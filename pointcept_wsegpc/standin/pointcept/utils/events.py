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
        self.val = value
        self.total = self.total + value * n
        self.count += n
        self.avg = self.total / self.count


class EventStorage:
    """One meter per name; a context manager that lives as long as a training does."""

    def __init__(self):
        self._history: dict[str, AverageMeter] = defaultdict(AverageMeter)

    def put_scalar(self, name: str, value, n: int = 1) -> None:
        self._history[name].update(value, n)

    def history(self, name: str) -> AverageMeter:
        if name not in self._history:
            raise KeyError(f"Nothing was put under {name!r}; there is {sorted(self._history)}")
        return self._history[name]

    def reset_histories(self) -> None:
        for meter in self._history.values():
            meter.reset()

    def __enter__(self) -> EventStorage:
        return self

    def __exit__(self, *exception) -> None:
        pass
