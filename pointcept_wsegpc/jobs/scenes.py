"""Work on many scenes, one job each: processes, a Dask cluster, shards, resume, failures by name.

Files are the truth: a job whose output is there is skipped, and what has none at the end is asked
for again, one at a time. So a worker that was killed costs its scene a retry, never the run.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from .dask import cluster_attempts
from .process import report_progress
from .workers import DONE, FAILED, HELD, LOST, Attempt, in_process, pooled

MAX_LISTED = 20  # failures listed in the summary


@dataclass
class Outcome:
    """The outcome of every job of this shard, by name."""

    done: dict[str, object] = field(default_factory=dict)  # name -> what the job returned
    skipped: list[str] = field(default_factory=list)  # finished by an earlier run
    failed: dict[str, str] = field(default_factory=dict)  # name -> one line that says why
    held: dict[str, str] = field(default_factory=dict)  # name -> the other run that is at it

    @property
    def exit_status(self) -> int:
        return 1 if self.failed else 0

    def summary(self) -> str:
        """One line of counts, then one per failure and per scene that another run holds."""
        counts = len(self.done), len(self.skipped), len(self.failed)
        lines = ["{} done, {} already finished, {} failed".format(*counts)]
        lines[0] += f", {len(self.held)} held by another run" if self.held else ""
        listed = [(FAILED, item) for item in sorted(self.failed.items())]
        listed += [(HELD, item) for item in sorted(self.held.items())]
        lines += [f"  {status} {name}: {why}" for status, (name, why) in listed[:MAX_LISTED]]
        if len(listed) > MAX_LISTED:
            lines.append(f"  … and {len(listed) - MAX_LISTED} more")
        return "\n".join(lines)


@dataclass(frozen=True)
class JobOptions:
    """How a command works through its scenes.

    scheduler: address or scheduler file of a Dask cluster; then `workers` does not count.
    """

    workers: int = 1
    shard: tuple[int, int] = (1, 1)
    scheduler: str | None = None

    def share(self, names: Iterable[str]) -> list[str]:
        """Those of the names that `run` will work on, finished ones included."""
        return take_shard(sorted(names), self.shard)

    def run(self, function: Callable, jobs: dict[str, object], **more) -> Outcome:
        """`run_jobs` with these options."""
        return run_jobs(function, jobs, **vars(self), **more)


def parse_shard(text: str) -> tuple[int, int]:
    """'2/8' -> (2, 8): the second of eight equal shares; the first is 1/8."""
    try:
        index, count = (int(part) for part in text.split("/"))
    except ValueError:
        raise ValueError(f"shard {text!r}: expected i/n, such as 1/4 … 4/4") from None
    if not 1 <= index <= count:
        raise ValueError(f"shard {text!r}: i counts from 1 to n, as in 1/4 … 4/4")
    return index, count


def take_shard(names: Sequence, shard: tuple[int, int]) -> list:
    """Every n-th of the names, from the i-th on: shares are disjoint and together complete."""
    index, count = shard
    return list(names[index - 1 :: count])


def run_jobs(
    function: Callable[[object], object],
    jobs: dict[str, object],
    *,
    workers: int = 1,
    shard: tuple[int, int] = (1, 1),
    is_done: Callable[[object], bool] | None = None,
    title: str = "",
    scheduler: str | None = None,
) -> Outcome:
    """Call `function(jobs[name])` for every job of the shard; a failure ends that job only.

    On this machine, by `workers` processes, or where `scheduler` is given on a Dask cluster: the
    address of its scheduler, or the file that says where it is. `function`, its arguments and
    results are pickled unless this one process does all. Jobs for which `is_done(jobs[name])` holds
    are skipped. A job whose worker dies is tried once more at the end, alone; one that was finished
    meanwhile counts as done, with None for its result. A job that raises `Held` is skipped and
    named.

    Raises:
        ValueError: workers < 1; or a scheduler that is neither an address nor a file.
        ImportError: a scheduler is given, and dask.distributed is not installed.
        KeyboardInterrupt: Ctrl-C, at once; files that are written atomically are never half there.
    """
    from tqdm import tqdm

    if workers < 1:
        raise ValueError(f"workers is {workers}; give at least 1")
    outcome = Outcome()
    mine = take_shard(sorted(jobs), shard)
    if is_done is not None:
        outcome.skipped = [name for name in mine if is_done(jobs[name])]
    skipped = set(outcome.skipped)
    todo = {name: jobs[name] for name in mine if name not in skipped}
    with (
        _engine(function, workers, scheduler, is_done) as attempts,
        tqdm(
            total=len(mine),
            initial=len(skipped),
            desc=title,
            unit="scene",
            mininterval=0.2 if sys.stderr.isatty() else 30,  # seconds; a log file wants few lines
        ) as bar,
    ):
        for name, status, value in _all_rounds(attempts, todo, is_done):
            getattr(outcome, status)[name] = value
            _advance(bar, len(outcome.failed))
    return outcome


def _all_rounds(attempts, jobs: dict, is_done) -> Iterator[Attempt]:
    """Attempts at all jobs; those that were lost, or left no output, once more and one by one."""
    again = []
    for name, status, value in attempts(jobs):
        if status == LOST or (status == DONE and is_done and not is_done(jobs[name])):
            again.append(name)
        else:
            yield name, status, value
    for name in sorted(again):
        if is_done and is_done(jobs[name]):
            yield name, DONE, None
            continue
        for _, status, value in attempts({name: jobs[name]}):
            yield name, FAILED if status == LOST else status, value


def _engine(function, workers: int, scheduler: str | None, is_done):
    """Context manager of a function from {name: job} to an iterator of Attempt."""
    if scheduler is not None:
        return cluster_attempts(scheduler, function, is_done)
    if workers == 1:
        return contextlib.nullcontext(functools.partial(in_process, function))
    return contextlib.nullcontext(functools.partial(pooled, function, workers))


def _advance(bar, failed: int) -> None:
    """One more job is over: on the terminal, and for the process that waits for this one."""
    if failed:
        bar.set_postfix(failed=failed)
    bar.update()
    rate, rest = bar.format_dict["rate"], bar.total - bar.n
    report_progress("scene", bar.n, bar.total, rest / rate if rate else None)
