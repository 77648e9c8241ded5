"""Jobs of tools/studies/ablation.py side by side; and, slow, a table that is killed and goes on."""

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
import torch
from tiny_tables import rows_of, tiny

import pointcept_wsegpc.register  # noqa: F401  fills the registries
from ablations import measured, results
from ablations.benchmarks import REPOSITORY
from ablations.jobs import KINDS, Job
from ablations.rows import Row, Table
from ablations.runner import STEPS, Runner
from ablations.study import Study
from pointcept_wsegpc.files import read_json, write_json
from pointcept_wsegpc.jobs.steps import Steps, exclusive


def do_here(job, out, command, resume):
    """Run settings["code"] in this process, then leave a file."""
    exec(textwrap.dedent(job.settings["code"]))
    job.output(out).write_text(str(resume))


def do_script(job, out, command, resume):
    """The same in a process of its own."""
    script = out / job.name / "script.py"
    script.write_text(job.settings["code"])
    command([sys.executable, str(script)])
    job.output(out).write_text(str(resume))


KINDS.update(here=(do_here, "done"), script=(do_script, "done"))


def here(title, code, needs=()):
    return Job("here", title, {"code": code, "title": title}, dict(needs))


def script(title, code):
    return Job("script", title, {"code": code})


def run(out, jobs, workers=1, devices=(), say=lambda line: None):
    runner = Runner(out, workers, list(devices), say)
    runner.run(jobs)
    return runner


def test_failed_jobs_are_listed_and_the_rest_goes_on(tmp_path):
    bad = here("bad", "raise ValueError('no such\\nthing')")
    after = here("after", "", {"weight": bad})
    last, good = here("last", "", {"weight": after}), here("good", "")
    broken, child = here("broken", "{}['seg_logits']"), script("child", "raise SystemExit('end')")
    runner = run(tmp_path, [bad, after, last, good, broken, child])
    why = runner.failed.pop("child")
    assert why.startswith("end") and "log.txt" in why
    assert runner.failed == {"bad": "no such thing", "broken": "KeyError: 'seg_logits'"}
    assert runner.not_started == ["after", "last"]
    assert good.output(tmp_path).is_file() and not after.output(tmp_path).exists()
    assert "Traceback" in (tmp_path / broken.name / "log.txt").read_text()


def test_finished_jobs_are_reused_and_failed_ones_go_on(tmp_path):
    flag, said = tmp_path / "flag", []
    job = here("job", f"open({str(flag)!r}).close()")
    assert run(tmp_path, [job]).failed
    flag.touch()
    assert not run(tmp_path, [job]).failed
    assert not run(tmp_path, [job], say=said.append).failed
    assert job.output(tmp_path).read_text() == "True"  # the second attempt resumed the first
    assert "reused" in said[0]


def test_jobs_wait_for_what_they_need_and_run_side_by_side(tmp_path):
    both = threading.Barrier(2, timeout=60)
    do_here.__globals__["BARRIER"] = both
    pair = [here(title, "BARRIER.wait()") for title in "ab"]
    check = f"assert all(open(p).read() for p in {[str(job.output(tmp_path)) for job in pair]})"
    last = here("last", check, dict(zip("ab", pair, strict=True)))
    assert run(tmp_path, [*pair, last], workers=2).failed == {}


def test_one_thread_each_on_the_cpu_and_one_gpu_each(tmp_path):
    names = ["OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "CUDA_VISIBLE_DEVICES"]
    code = f"import os; print(*(os.environ.get(k) for k in {names}))"
    for devices in ([], ["4", "7"]):
        scripts = [script(str(i), f"{code}  # {i} {devices}") for i in range(1 + bool(devices))]
        run(tmp_path, scripts, workers=2, devices=devices)
        logs = [(tmp_path / job.name / "log.txt").read_text().split() for job in scripts]
        assert {tuple(log[:2]) for log in logs} == {("1", "1")}
        own = os.environ.get("CUDA_VISIBLE_DEVICES", "None")
        assert {log[2] for log in logs} == (set(devices) or {own})


@pytest.fixture
def interruptible():
    """Ctrl-C raises KeyboardInterrupt, also where a shell in the background had it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_the_children(tmp_path):
    ready = tmp_path / "ready"
    job = script("long", f"import time; open({str(ready)!r}, 'w').close(); time.sleep(600)")

    def interrupt():
        wait_for(ready.exists)
        os.kill(os.getpid(), signal.SIGINT)

    begin = time.monotonic()
    thread = threading.Thread(target=interrupt)
    thread.start()
    runner = Runner(tmp_path, 1, [], lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        runner.run([job])
    thread.join()
    assert time.monotonic() - begin < 60
    assert all(child.poll() is not None for child in runner.children)
    assert not job.output(tmp_path).exists()


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def python(code, **more):
    """A process that runs code, with the modules of the tests and of the studies on its path."""
    places = [Path(__file__).parents[1], Path(__file__).parent, REPOSITORY / "tools/studies"]
    path = os.pathsep.join(map(str, [REPOSITORY, *places]))
    environment = {key: value for key, value in os.environ.items() if key != "POINTCEPT_ROOT"}
    environment["PYTHONPATH"] = path
    return subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=REPOSITORY, **more)


def is_running(pid):
    """Whether a process is there, and not only waiting to be reaped."""
    status = Path(f"/proc/{pid}/status")
    return status.is_file() and "State:\tZ" not in status.read_text()


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="looks into /proc")
def test_children_end_with_a_killed_run_of_measured(tmp_path):
    """The runner's children are all of measured.py: they end however their parent ended."""
    pid = tmp_path / "pid"
    sleeper = tmp_path / "sleeper.py"
    sleeper.write_text(
        f"import os, time; open({str(pid)!r}, 'w').write(f'{{os.getpid()}} '); time.sleep(600)"
    )
    command = [sys.executable, measured.__file__, str(tmp_path / "usage.json"), str(sleeper)]
    parent = python(f"import subprocess; subprocess.run({command!r})")
    try:
        wait_for(lambda: pid.is_file() and pid.read_text().endswith(" "))
    finally:
        parent.kill()
        parent.wait()
    wait_for(lambda: not is_running(int(pid.read_text())), 20)


def test_job_of_another_run_is_waited_for_and_reused(tmp_path, monkeypatch):
    """What is finished elsewhere meanwhile is not done again, and other jobs go first."""
    monkeypatch.setattr("ablations.runner.PATIENCE", 0.1)
    shared, other, said = here("shared", "raise ValueError"), here("other", ""), []
    with exclusive(tmp_path / shared.name / ".lock"):
        runner = Runner(tmp_path, 1, [], said.append)
        thread = threading.Thread(target=runner.run, args=([shared, other],))
        thread.start()
        wait_for(other.output(tmp_path).is_file)
        # The other run finishes it.
        shared.output(tmp_path).write_text("elsewhere")
        steps = Steps(tmp_path / shared.name / STEPS, 1, said.append)
        steps.run(shared.name, {}, shared.output(tmp_path), lambda resume: None)
    thread.join(60)
    assert not thread.is_alive() and runner.failed == {}
    assert shared.output(tmp_path).read_text() == "elsewhere"
    assert sum("shared: waits for another run" in line for line in said) == 1


def test_measured_records_memory_and_passes_all_on(tmp_path):
    (tmp_path / "helper.py").write_text("SIZE = 150 * 2**20\n")
    (tmp_path / "script.py").write_text(
        "import sys, helper\nblock = b'1' * helper.SIZE\nsys.exit(int(sys.argv[1]))\n"
    )
    usage = tmp_path / "usage.json"
    command = [sys.executable, measured.__file__, str(usage), str(tmp_path / "script.py")]
    assert subprocess.run([*command, "3"]).returncode == 3
    found = read_json(usage)
    # Of its own: this process, with torch in it, holds more.
    assert 150 <= found["rss_mib"] < 250 and found["cuda_mib"] == 0
    write_json(usage, {"rss_mib": 5000, "cuda_mib": 0})
    measured.record(usage)
    assert read_json(usage)["rss_mib"] == 5000


# ---------------------------------------------------------------------------------------- trainings
RUN = """
from pathlib import Path
import ablation
import pointcept_wsegpc.register  # noqa: F401  fills the registries
import test_ablation_runner
study = ablation.Study(test_ablation_runner.tiny({root!r}, partition="of the tests"))
run = (study, test_ablation_runner.two_rows(), [0], Path({out!r}))
result = ablation.table_result(*run, "a command", ablation.run_table(*run, workers=2))
ablation.write_table(result, run[-1], *run)
"""


def two_rows():
    rows = rows_of("components")
    good = dataclasses.replace(rows["CMG + RPC 3D"], stage_two="pseudo")
    broken = Row("broken", {"model.no_such_option": 1}, stage_two="truth")
    return Table("pair", "Two rows", (broken, good))


def start(root, out):
    return python(RUN.format(root=str(root), out=str(out)), start_new_session=True)


def kill_when(process, log, text):
    """SIGKILL to a run and all its children as soon as a training's log says `text`."""
    try:
        deadline = time.monotonic() + 240
        while text not in (log.read_text() if log.is_file() else ""):
            assert process.poll() is None, f"ended by itself with {process.returncode}"
            assert time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
def test_a_killed_table_goes_on(prepared_root, tmp_path):
    """That a resumed training gives the same weights is tested in contract/."""
    second = Study(tiny(prepared_root)).jobs(two_rows().rows[1], 0)["second"]
    log = second.folder(tmp_path) / "train.log"
    kill_when(start(prepared_root, tmp_path), log, "Train: [2/3][2/3]")
    assert start(prepared_root, tmp_path).wait() == 0
    assert torch.load(second.output(tmp_path), weights_only=False)["epoch"] == 3
    assert "Resuming train at eval epoch: " in log.read_text()
    check_pair(read_json(tmp_path / "pair.json"))


def check_pair(result):
    """The broken row is listed, and the other one complete."""
    broken, good = result["rows"]
    assert broken["metrics"] == {} and broken["seeds"] == []
    (cause,) = result["failures"].values()
    assert "no_such_option" in cause
    assert result["not_started"] == [
        "broken, seed 0: part 2 of stage one",
        "broken, seed 0: labels of val",  # its stage two learns from ground truth
    ]
    of_regions = {"partition", "partition strict"}
    assert good["metrics"].keys() == results.METRICS.keys() - of_regions
    assert all(0 <= entry["mean"] <= 100 for entry in good["metrics"].values())
    assert good["minutes"]["mean"] > 0 and good["memory_mib"]["mean"] > 100
