"""Jobs on the workers of a Dask cluster (the extra [dask]): many machines, one shared disk."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

from .workers import DONE, LOST, attempt

CLOSE_SECONDS = 1  # Ctrl-C does not wait for the cluster


@contextlib.contextmanager
def cluster_attempts(scheduler: str, function: Callable, is_done: Callable | None):
    """Yield a function from {name: job} to an iterator of `workers.Attempt`.

    scheduler: address (tcp://host:port), or path of the scheduler file, on a disk that all see.
    Raises ImportError without dask.distributed, ValueError for no such file or for workers with
    several threads, OSError where no scheduler answers.
    """
    client = _connect(scheduler)
    try:
        _check_threads(client)
        yield functools.partial(_attempts, client, function, is_done)
    finally:
        client.close(timeout=CLOSE_SECONDS)


def _connect(scheduler: str):
    try:
        from dask.distributed import Client
    except ImportError:
        raise ImportError(
            "--scheduler needs dask.distributed: pip install 'pointcept-wsegpc[dask]'"
        ) from None
    path = Path(scheduler).expanduser()
    if path.is_file():
        return Client(scheduler_file=str(path), set_as_default=False)
    if ":" not in scheduler:
        raise ValueError(
            f"--scheduler {scheduler}: no such file; expected the scheduler file that `dask "
            "scheduler --scheduler-file FILE` wrote, or an address such as tcp://host:8786"
        )
    return Client(scheduler, set_as_default=False)


def _check_threads(client) -> None:
    """ValueError where a worker would do several scenes in one process."""
    for address, worker in client.scheduler_info(n_workers=-1)["workers"].items():
        if worker["nthreads"] != 1:
            raise ValueError(
                f"worker {address} has {worker['nthreads']} threads; start workers of one thread, "
                "and as many as fit: dask worker --nthreads 1 --nworkers N"
            )


def _attempts(client, function, is_done, jobs: dict) -> Iterator:
    from dask.distributed import as_completed

    names = {
        client.submit(_attempt_unless_done, function, is_done, job, pure=False): name
        for name, job in jobs.items()
    }
    try:
        for future in as_completed(list(names), loop=client.loop):
            yield names.pop(future), *_ending(future)
            future.release()  # or a result that dies with its worker would be computed again
    finally:
        client.cancel(list(names))


def _attempt_unless_done(function, is_done, job) -> tuple[str, object]:
    """On a worker: the cluster may ask for a job again that is finished, its result being lost."""
    return (DONE, None) if is_done and is_done(job) else attempt(function, job)


def _ending(future) -> tuple[str, object]:
    """How the job of a future that is over ended, and its result or a line that says why."""
    from dask.distributed import KilledWorker

    try:
        return future.result()
    except KilledWorker:
        return LOST, "its worker was killed (out of memory?); start fewer workers per machine"
    except Exception as error:  # canceled, or what the worker could not import, send or receive
        return LOST, f"{type(error).__name__}: {' '.join(str(error).split())}"
