"""Long jobs: shards, resume, worker processes, collected failures."""

import functools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pointcept_wsegpc.jobs.scenes import (
    JobOptions,
    Outcome,
    parse_shard,
    run_jobs,
    take_shard,
)
from pointcept_wsegpc.jobs.workers import Held

ROOT = Path(__file__).resolve().parents[2]


def square(value):
    if value == 3:
        raise ValueError("three is\n  bad input")
    if value == 4:
        raise KeyError("surprise")
    return value**2


def die(value):
    """End the process in one of the ways in which a process ends; numbers pass, slowly."""
    if value == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if value == "crashed":
        os.kill(os.getpid(), signal.SIGSEGV)
    if value == "ended":
        os._exit(3)
    time.sleep(0.02)
    return value


def touch(folder, value):
    (folder / str(value)).touch()


@pytest.mark.parametrize("workers", [1, 2])
def test_failures_are_collected_and_end_only_their_job(workers):
    outcome = run_jobs(square, {f"s{i}": i for i in range(6)}, workers=workers)
    assert outcome.done == {"s0": 0, "s1": 1, "s2": 4, "s5": 25}
    assert outcome.failed == {"s3": "three is bad input", "s4": "KeyError: 'surprise'"}
    assert outcome.exit_status == 1
    assert outcome.summary().splitlines() == [
        "4 done, 0 already finished, 2 failed",
        "  failed s3: three is bad input",
        "  failed s4: KeyError: 'surprise'",
    ]


def test_a_worker_that_dies_fails_its_own_job_only():
    deaths = {"a": "killed", "e": "crashed", "h": "ended"}
    jobs = {name: i for i, name in enumerate("abcdefghij")} | deaths
    outcome = run_jobs(die, jobs, workers=2)
    assert outcome.done == {"b": 1, "c": 2, "d": 3, "f": 5, "g": 6, "i": 8, "j": 9}
    assert set(outcome.failed) == set(deaths) and outcome.exit_status == 1
    assert "killed (out of memory?)" in outcome.failed["a"]
    assert outcome.failed["e"] == "its process died (Segmentation fault)"
    assert outcome.failed["h"] == "its process ended with status 3"


def die_once(folder, value):
    """Write the value's output; where that is asked for, only the second attempt gets so far."""
    first = folder / f"{value}.first"
    if "fragile" in value and not first.exists():
        first.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    touch(folder, value)
    return value


@pytest.mark.parametrize("with_files", [False, True])
def test_a_killed_worker_costs_its_job_a_retry(tmp_path, with_files):
    is_done = functools.partial(is_there, tmp_path) if with_files else None
    names = ["a", "fragile", "z"]
    outcome = run_jobs(
        functools.partial(die_once, tmp_path), {n: n for n in names}, workers=2, is_done=is_done
    )
    assert outcome.done == {name: name for name in names} and not outcome.failed


def is_there(folder, value):
    return (folder / str(value)).exists()


def test_what_leaves_no_output_is_asked_for_once_more(tmp_path):
    calls = []

    def forgetful(value):
        calls.append(value)
        if calls.count(value) == 2 or value == "good":
            touch(tmp_path, value)

    jobs = {name: name for name in ("bad", "good")}
    outcome = run_jobs(forgetful, jobs, is_done=functools.partial(is_there, tmp_path))
    assert calls == ["bad", "good", "bad"] and set(outcome.done) == set(jobs)


def test_a_scene_that_another_run_holds_is_skipped_and_named():
    outcome = run_jobs(hold, {"a": 1, "b": 2})
    assert outcome.done == {"a": 1} and outcome.held == {"b": "process 12 on node 3"}
    assert outcome.exit_status == 0 and "process 12 on node 3" in outcome.summary()


def hold(value):
    if value == 2:
        raise Held("process 12 on node 3")
    return value


def test_results_that_cannot_be_sent_are_failures():
    outcome = run_jobs(make_a_lock, {"a": 0}, workers=2)
    assert outcome.failed == {"a": "its process ended with status 1"}


def make_a_lock(_):
    return threading.Lock()


def test_ctrl_c_ends_everything_at_once(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, pathlib, sys, time\n"
        "from pointcept_wsegpc.jobs.scenes import run_jobs\n"
        "def wait(folder):\n"
        "    (pathlib.Path(folder) / f'pid{os.getpid()}').touch()\n"
        "    time.sleep(60)\n"
        "if __name__ == '__main__':\n"
        f"    run_jobs(wait, dict.fromkeys('abcd', {str(tmp_path)!r}), workers=2)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    # Who starts the tests in the background may have them ignore Ctrl-C, and all their children.
    parent = subprocess.Popen(
        [sys.executable, script], env=environment, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    deadline = time.monotonic() + 20
    while len(pids := list(tmp_path.glob("pid*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    parent.send_signal(signal.SIGINT)  # to the parent alone; Ctrl-C reaches its workers too
    _, errors = parent.communicate(timeout=10)
    assert b"KeyboardInterrupt" in errors and len(pids) == 2
    assert not any(is_running(Path("/proc") / pid.name.removeprefix("pid")) for pid in pids)
    assert len(list(tmp_path.glob("pid*"))) == 2  # no other job was begun


def test_workers_do_not_outlive_a_killed_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, pathlib, time\n"
        "from pointcept_wsegpc.jobs.scenes import run_jobs\n"
        "def wait(path):\n"
        "    part = pathlib.Path(path + '.part')\n"
        "    part.write_text(str(os.getpid()))\n"
        "    part.rename(path)\n"
        "    time.sleep(60)\n"
        f"if __name__ == '__main__': run_jobs(wait, {{'a': {str(tmp_path / 'pid')!r}}}, workers=2)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen([sys.executable, script], env=environment)
    deadline = time.monotonic() + 20
    while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    worker = Path("/proc") / (tmp_path / "pid").read_text()
    while is_running(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(worker)


def is_running(process):
    """Whether a folder of /proc is that of a process which has not ended (as Z has)."""
    try:
        return (process / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_finished_jobs_are_skipped(tmp_path):
    jobs = {str(i): i for i in range(4)}
    (tmp_path / "2").touch()
    done = run_jobs(
        functools.partial(touch, tmp_path), jobs, is_done=lambda i: (tmp_path / str(i)).exists()
    )
    assert done.skipped == ["2"] and sorted(done.done) == ["0", "1", "3"]
    assert done.exit_status == 0


@pytest.mark.parametrize("count", [1, 2, 3, 7, 12])
def test_shards_are_disjoint_even_and_complete(count):
    names = [f"scene{i}" for i in range(10)]
    shares = [take_shard(names, (i, count)) for i in range(1, count + 1)]
    assert sorted(name for share in shares for name in share) == names
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    options = JobOptions(shard=(1, count))
    run = options.run(str.upper, {name: name for name in names})
    assert list(run.done) == shares[0] == options.share(names)


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "-1/2", "a/b", "1/2/3"])
def test_a_bad_shard_says_what_is_expected(text):
    with pytest.raises(ValueError, match="1/4"):
        parse_shard(text)


def test_no_jobs_and_no_workers():
    assert run_jobs(square, {}, workers=2) == Outcome()
    with pytest.raises(ValueError, match="workers is 0"):
        run_jobs(square, {"a": 1}, workers=0)


def test_the_summary_stays_short():
    outcome = Outcome(failed={f"s{i:03}": "no" for i in range(50)})
    lines = outcome.summary().splitlines()
    assert len(lines) == 22 and lines[-1] == "  … and 30 more"
