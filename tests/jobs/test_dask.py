"""Jobs on a Dask cluster: workers that are killed, bad input, what is finished, wrong addresses."""

import functools
import hashlib
import os
import signal
import socket
import sys

import pytest

from pointcept_wsegpc.files import write_array
from pointcept_wsegpc.jobs.scenes import run_jobs

distributed = pytest.importorskip("distributed", reason="needs dask.distributed")
dask = pytest.importorskip("dask")

# The workers cannot import the tests.
pytest.importorskip("cloudpickle").register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def scheduler_file(tmp_path_factory):
    """A scheduler file of two worker processes."""
    path = tmp_path_factory.mktemp("dask") / "scheduler.json"
    settings = {
        "distributed.scheduler.allowed-failures": 1,
        "distributed.scheduler.worker-saturation": 1.0,
    }
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        client.write_scheduler_file(str(path))
        yield path


def work(folder, job):
    """Write the output of a scene; some kill their worker, at the first attempt or at every one."""
    name, seed = job
    attempts = folder / f"{name}.attempts"
    with open(attempts, "a") as file:
        file.write("x")
    if name.startswith("deadly") or (name.startswith("fragile") and attempts.stat().st_size == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if name.startswith("bad"):
        raise ValueError("bad\ninput")
    digest = hashlib.sha256(str(seed).encode()).digest()
    write_array(folder / f"{name}.npy", list(digest))


def is_made(folder, job):
    return (folder / f"{job[0]}.npy").exists()


def run_in(folder, jobs, **how):
    folder.mkdir(exist_ok=True)
    work_here, made = functools.partial(work, folder), functools.partial(is_made, folder)
    return run_jobs(work_here, jobs, is_done=made, **how)


def test_a_killed_worker_changes_nothing_in_the_result(tmp_path, scheduler_file):
    good = {name: (name, i) for i, name in enumerate([*"abcdefgh", "fragile"])}
    here = run_in(tmp_path / "here", {n: j for n, j in good.items() if n != "fragile"})
    assert not here.failed
    jobs = good | {"bad": ("bad", 0), "deadly": ("deadly", 0)}
    there = run_in(tmp_path / "there", jobs, scheduler=str(scheduler_file))
    assert set(there.done) == set(good) and set(there.failed) == {"bad", "deadly"}
    assert there.failed["bad"] == "bad input" and "worker was killed" in there.failed["deadly"]
    for name in here.done:
        one, two = (tmp_path / place / f"{name}.npy" for place in ("here", "there"))
        assert one.read_bytes() == two.read_bytes()
    again = run_in(tmp_path / "there", good, scheduler=str(scheduler_file))
    assert set(again.skipped) == set(good) and not again.done


def test_workers_of_several_threads_are_refused():
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
        ) as cluster,
        pytest.raises(ValueError, match="2 threads"),
    ):
        run_jobs(abs, {"a": 1}, scheduler=cluster.scheduler_address)


def test_a_scheduler_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="no such file"):
        run_jobs(abs, {"a": 1}, scheduler=str(tmp_path / "none.json"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        with dask.config.set({"distributed.comm.timeouts.connect": "1s"}), pytest.raises(OSError):
            run_jobs(abs, {"a": 1}, scheduler=address)
