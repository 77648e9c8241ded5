"""Long jobs, one per scene: worker processes, shards, resume, progress, collected failures."""

import contextlib
import itertools
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
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

    So does a worker process that crashes or is killed. `function`, its arguments and results are
    pickled where workers > 1. Jobs for which `is_done(jobs[name])` holds are skipped. Raises
    ValueError for workers < 1, and passes KeyboardInterrupt on, at once.
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
    with contextlib.closing(results), _progress(len(mine), len(skipped), title) as bar:
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
    """Results of worker processes, as they come. A worker that dies fails the job that it was at;
    another takes its place.
    """
    waiting = iter(jobs.items())
    processes, names = {}, {}  # of the workers: their processes, and what each is at
    try:
        for name, job in itertools.islice(waiting, workers):
            names[_start_worker(processes, function, job)] = name
        while names:
            for pipe in multiprocessing.connection.wait(names):
                name = names.pop(pipe)
                try:
                    result, error = pipe.recv()
                except (EOFError, OSError):
                    result, error = None, _cause_of_death(processes.pop(pipe))
                yield name, result, error
                for name, job in itertools.islice(waiting, 1):
                    names[_next_job(processes, pipe, function, job)] = name
    finally:  # also at Ctrl-C: every file is atomic, so none is harmed
        for process in processes.values():
            process.kill()
        for process in processes.values():
            process.join()


def _start_worker(processes, function, job):
    """The pipe to a new worker, which is at its first job; adds its process to {pipe: process}."""
    # Spawned, not forked: a fork of a process with threads (BLAS, numba) may deadlock.
    context = multiprocessing.get_context("spawn")
    pipe, far_end = context.Pipe()
    process = context.Process(target=_work, args=(far_end, function), daemon=True)
    process.start()
    processes[pipe] = process
    pipe.send(job)
    far_end.close()  # so that the pipe ends with the worker
    return pipe


def _next_job(processes, pipe, function, job):
    """The pipe to the worker that is at the job: this one, or a new one if it is dead."""
    if pipe in processes:
        try:
            pipe.send(job)
        except OSError:
            processes.pop(pipe).join()
        else:
            return pipe
    return _start_worker(processes, function, job)


def _cause_of_death(process):
    """A line that says how a worker process died."""
    process.join()
    if process.exitcode == -signal.SIGKILL:
        return "its process was killed (out of memory?); run again with fewer --workers"
    if process.exitcode < 0:
        return f"its process died ({signal.strsignal(-process.exitcode)})"
    return f"its process ended with status {process.exitcode}"


def _work(pipe, function):
    """In a worker process: do the jobs that come through the pipe, until it ends.

    The process ends at Ctrl-C and with its parent, at any moment.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_exit_after_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        while True:
            pipe.send(_attempt(function, pipe.recv()))


def _exit_after_parent():
    multiprocessing.parent_process().join()
    os._exit(1)
