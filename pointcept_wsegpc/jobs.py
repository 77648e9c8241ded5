"""Long jobs, one per scene: worker processes, shards, resume, progress, collected failures."""

import logging
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

MAX_LISTED = 20  # failures that the summary spells out


@dataclass
class Outcome:
    """What became of every job of this shard, by name."""

    done: dict[str, object] = field(default_factory=dict)  # name -> what the job returned
    skipped: list[str] = field(default_factory=list)  # finished by an earlier run
    failed: dict[str, str] = field(default_factory=dict)  # name -> one line that says why

    @property
    def exit_status(self) -> int:
        return 1 if self.failed else 0

    def summary(self) -> str:
        """One line of counts, then one per failure."""
        counts = len(self.done), len(self.skipped), len(self.failed)
        lines = ["{} done, {} already finished, {} failed".format(*counts)]
        failed = sorted(self.failed.items())
        lines += [f"  failed {name}: {reason}" for name, reason in failed[:MAX_LISTED]]
        if len(failed) > MAX_LISTED:
            lines.append(f"  … and {len(failed) - MAX_LISTED} more failures")
        return "\n".join(lines)


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


def add_job_arguments(parser) -> None:
    """--workers and --shard of an argparse parser; values for `run_jobs`."""

    def shard(text):
        try:
            return parse_shard(text)
        except ValueError as error:
            parser.error(str(error))

    parser.add_argument("--workers", type=int, default=1, help="processes (default 1)")
    parser.add_argument(
        "--shard", type=shard, default=(1, 1), metavar="i/n",
        help="do the i-th of n equal shares of the scenes, i from 1; one per machine",
    )  # fmt: skip


def run_jobs(
    function: Callable[[object], object],
    jobs: dict[str, object],
    *,
    workers: int = 1,
    shard: tuple[int, int] = (1, 1),
    is_done: Callable[[object], bool] | None = None,
    title: str = "",
) -> Outcome:
    """Call `function(jobs[name])` for every job of the shard; a failure ends that job only.

    `function`, its arguments and results are pickled where workers > 1. Jobs for which
    `is_done(jobs[name])` holds are skipped. Raises ValueError for workers < 1, and passes
    KeyboardInterrupt on.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}; give at least 1")
    outcome = Outcome()
    mine = take_shard(sorted(jobs), shard)
    if is_done is not None:
        outcome.skipped = [name for name in mine if is_done(jobs[name])]
    skipped = set(outcome.skipped)
    todo = {name: jobs[name] for name in mine if name not in skipped}
    results = _in_process(function, todo) if workers == 1 else _pooled(function, todo, workers)
    with _progress(len(mine), len(skipped), title) as bar:
        for name, result, error in results:
            if error is None:
                outcome.done[name] = result
            else:
                outcome.failed[name] = error
                bar.set_postfix(failed=len(outcome.failed))
            bar.update()
    return outcome


def _progress(total, initial, title):
    from tqdm import tqdm

    interval = 0.2 if sys.stderr.isatty() else 30  # seconds; a log file wants few lines
    return tqdm(total=total, initial=initial, desc=title, unit="scene", mininterval=interval)


def _attempt(function, job):
    """(result, None) or (None, error line); a traceback only where the error is a surprise."""
    try:
        return function(job), None
    except (ValueError, OSError, EOFError) as error:  # bad input: the message says it all
        return None, " ".join(str(error).split())
    except Exception as error:
        logger.error("%s", traceback.format_exc())
        return None, f"{type(error).__name__}: {' '.join(str(error).split())}"


def _in_process(function, jobs):
    for name, job in jobs.items():
        yield name, *_attempt(function, job)


def _pooled(function, jobs, workers):
    # Spawned, not forked: a fork of a process with threads (BLAS, numba) may deadlock.
    pool = ProcessPoolExecutor(
        min(workers, max(len(jobs), 1)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_tie_to_parent,
    )
    try:
        futures = {pool.submit(_attempt, function, job): name for name, job in jobs.items()}
        for future in as_completed(futures):
            try:
                result, error = future.result()
            except BrokenProcessPool:
                result, error = None, "a worker died (out of memory?); run again to go on"
            yield futures[future], result, error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _tie_to_parent():
    """End this worker at Ctrl-C and with its parent, at any moment: files are atomic."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_exit_after_parent, daemon=True).start()


def _exit_after_parent():
    multiprocessing.parent_process().join()
    os._exit(1)
