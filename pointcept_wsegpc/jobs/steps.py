"""Steps that are announced, timed, recorded and reused; resumed trainings."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from ..files import read_or_set_aside, write_json
from .process import Busy

RECORDED = {"key", "seconds", "finished"}  # of a step
SEED_STEP = 1_000_000  # above any seed in use


class Steps:
    """Runs steps in their order; a step that finished with the same settings is not run again.

    What a step depends on is hashed together with the steps before it, so a change of settings
    makes that step and all after it start over. Times of interrupted attempts add up.

    Args:
        file: JSON file of what is finished. total: number of steps, for the announcement.
        say: takes one line of text.
    """

    def __init__(self, file: Path, total: int, say: Callable[[str], None] = print):
        self.file, self.total, self.say = file, total, say
        self.records = _records(file)
        self.names: list[str] = []
        self.start = time.monotonic()
        self.key = ""  # of all that the last step depended on

    def branch(self, file: Path, total: int) -> Steps:
        """Steps that depend on these, recorded in a file of their own: to run beside others."""
        branch = Steps(file, total, self.say)
        branch.start, branch.key = self.start, self.key
        return branch

    def run(self, name: str, settings, output: Path, action: Callable[[bool], None]) -> None:
        """Call `action(resume)`; resume: an earlier attempt with the same settings was cut short.

        `settings` is anything whose repr tells what the step depends on. The step is done again
        if `output` is gone.
        """
        self.names.append(name)
        self.key = hashlib.sha256(f"{self.key}{name}{settings!r}".encode()).hexdigest()[:16]
        record = self.records.get(name, {})
        same = record.get("key") == self.key and (output.exists() or not record["finished"])
        if same and record["finished"]:
            self.announce(name, f"reused (took {record['seconds'] / 60:.1f} min)")
            return
        self.announce(name, "continues" if same else "starts over" if record else "")
        before = record["seconds"] if same else 0.0
        self._record(name, before, finished=False)
        begin, finished = time.monotonic(), False
        try:
            action(same)
            finished = True
        finally:
            self._record(name, before + time.monotonic() - begin, finished)

    def seconds(self) -> dict[str, float]:
        """Time of each step that was run or reused."""
        return {name: self.records[name]["seconds"] for name in self.names}

    def announce(self, name: str, remark: str) -> None:
        """Say that a step starts, or why it does not."""
        elapsed = int(time.monotonic() - self.start)
        clock = f"{elapsed // 60:3d}:{elapsed % 60:02d}"
        remark = f": {remark}" if remark else ""
        self.say(f"[{clock}] {len(self.names)}/{self.total} {name}{remark}")

    def _record(self, name: str, seconds: float, finished: bool) -> None:
        self.records[name] = {"key": self.key, "seconds": seconds, "finished": finished}
        write_json(self.file, self.records)


def _records(file):
    """What is finished; nothing where the file is damaged, so that all steps start over."""
    records = read_or_set_aside(file)
    records = records if isinstance(records, dict) else {}
    return {k: r for k, r in records.items() if isinstance(r, dict) and r.keys() >= RECORDED}


@contextlib.contextmanager
def exclusive(file: Path, patience: float = 10.0):
    """Hold a lock file and yield its descriptor; a child that has it open holds it as well.

    Raises:
        Busy: another process holds it, and for more than `patience` seconds: the processes
            of a run that was just killed may need some to notice.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "w") as lock:
        deadline = time.monotonic() + patience
        while not _locked(lock):
            if time.monotonic() > deadline:
                raise Busy(f"another run works in {file.parent}; wait for it or end it")
            time.sleep(0.2)
        yield lock.fileno()


def _locked(file) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def continued_seed(seed: int | None) -> int | None:
    """The seed of a training that starts from the weights of one with `seed`.

    A sample is a function of (seed, epoch, index), and each training counts its epochs from 0: with
    the seed of the first part, the second would repeat its samples.
    """
    return None if seed is None else seed + SEED_STEP


def last_checkpoint(folder: Path) -> Path:
    """Where a training into `folder` keeps its last checkpoint."""
    return folder / "model" / "model_last.pth"
