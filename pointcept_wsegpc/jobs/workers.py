"""Attempts at jobs: how one ends, and the worker processes of this machine.

An attempt never raises: it ends in a status, with a result or a line that says why there is none.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import multiprocessing
import multiprocessing.connection
import signal
import traceback
from collections.abc import Callable, Iterator

from ..files.claims import Held
from .process import exit_after_parent

logger = logging.getLogger(__name__)

DONE, FAILED, HELD, LOST = "done", "failed", "held", "lost"  # how an attempt ends
# Name of the job, how it ended, its result or a line that says why.
Attempt = tuple[str, str, object]


def attempt(function: Callable[[object], object], job: object) -> tuple[str, object]:
    """How a job ends, and its result or a line that says why; a traceback of surprises only."""
    try:
        return DONE, function(job)
    except Held as error:
        return HELD, _one_line(error)
    except (ValueError, OSError, EOFError) as error:  # bad input: the message says it all
        return FAILED, _one_line(error)
    except Exception as error:
        logger.error("%s", traceback.format_exc())
        return FAILED, f"{type(error).__name__}: {_one_line(error)}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def in_process(function, jobs: dict) -> Iterator[Attempt]:
    for name, job in jobs.items():
        yield name, *attempt(function, job)


def pooled(function, workers: int, jobs: dict) -> Iterator[Attempt]:
    """Attempts of worker processes, as they end. A worker that dies loses the job that it was at;
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
                    status, value = pipe.recv()
                except (EOFError, OSError):
                    status, value = LOST, _cause_of_death(processes.pop(pipe))
                yield name, status, value
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


def _cause_of_death(process) -> str:
    """A line that says how a worker process died."""
    process.join()
    if process.exitcode == -signal.SIGKILL:
        return "its process was killed (out of memory?); run again with fewer --workers"
    if process.exitcode < 0:
        return f"its process died ({signal.strsignal(-process.exitcode)})"
    return f"its process ended with status {process.exitcode}"


def _work(pipe, function) -> None:
    """In a worker process: do the jobs that come through the pipe, until it ends.

    The process ends at Ctrl-C and with its parent, at any moment.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    exit_after_parent()
    with contextlib.suppress(EOFError, OSError):
        while True:
            pipe.send(attempt(function, pipe.recv()))
