"""Jobs of tools/studies/ablation.py side by side; and, slow, tables that are killed and go on."""

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

TOOLS = REPOSITORY / "tools/studies"


def do_script(job, out, command, resume):
    """Run settings["code"], then leave a file."""
    script = out / job.name / "script.py"
    script.write_text(textwrap.dedent(job.settings["code"]))
    command([sys.executable, str(script)])
    job.output(out).write_text(str(resume))


def do_wrong(job, out, command, resume):
    raise KeyError("seg_logits")


KINDS.update(script=(do_script, "done"), broken=(do_wrong, "done"))


def script(title, code, needs=()):
    return Job("script", title, {"code": code}, dict(needs))


def test_failed_job_is_listed_and_the_rest_goes_on(tmp_path):
    said = []
    bad = script("bad", "raise SystemExit('no such thing')")
    after = script("after", "", {"weight": bad})
    last = script("last", "1", {"weight": after})
    good = script("good", "2")
    runner = Runner(tmp_path, 1, [], said.append)
    runner.run([bad, after, last, good])
    assert runner.failed.keys() == {"bad"}
    assert runner.not_started == ["after", "last"]
    assert runner.failed["bad"].startswith("no such thing (log: ")
    assert good.output(tmp_path).is_file() and not after.output(tmp_path).exists()


def test_job_that_raises_anything_is_listed(tmp_path):
    broken, good = Job("broken", "broken", {}), script("good", "2")
    runner = Runner(tmp_path, 2, [], lambda _: None)
    runner.run([broken, good])
    assert runner.failed == {"broken": "KeyError: 'seg_logits'"}
    assert "Traceback" in (tmp_path / broken.name / "log.txt").read_text()


def test_finished_jobs_are_reused_and_failed_ones_go_on(tmp_path):
    flag = tmp_path / "flag"
    job = script("job", f"open({str(flag)!r}).close()")
    for exists in (False, True, True):
        if exists:
            flag.touch()
        said = []
        runner = Runner(tmp_path, 1, [], said.append)
        runner.run([job])
        assert bool(runner.failed) != exists
    assert job.output(tmp_path).read_text() == "True"  # the second attempt resumed the first
    assert "reused" in said[0]


def test_jobs_wait_for_what_they_need_and_run_side_by_side(tmp_path):
    barrier = """
        import pathlib, time
        here = pathlib.Path({folder!r})
        (here / {own!r}).touch()
        end = time.monotonic() + 60
        while not (here / {other!r}).exists():
            assert time.monotonic() < end
            time.sleep(0.01)
    """
    both = [
        script(own, barrier.format(folder=str(tmp_path), own=own, other=other))
        for own, other in (("a", "b"), ("b", "a"))
    ]
    check = f"assert all(open(p).read() for p in {[str(job.output(tmp_path)) for job in both]})"
    last = script("last", check, dict(zip("ab", both, strict=True)))
    runner = Runner(tmp_path, 2, [], lambda _: None)
    runner.run([*both, last])
    assert runner.failed == {}


def test_one_thread_each_on_the_cpu_and_one_gpu_each(tmp_path):
    code = "import os; print(*(os.environ.get(k) for k in {}))".format(
        ["OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "CUDA_VISIBLE_DEVICES"]
    )
    for devices in ([], ["4", "7"]):
        scripts = [script(str(i), f"{code}  # {i} {devices}") for i in range(2)]
        runner = Runner(tmp_path, 2, devices, lambda _: None)
        runner.run(scripts)
        logs = [(tmp_path / job.name / "log.txt").read_text().split() for job in scripts]
        assert [log[:2] for log in logs] == [["1", "1"]] * 2
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
    code = f"import time; open({str(ready)!r}, 'w').close(); time.sleep(600)"
    job = script("long", code)

    def interrupt():
        while not ready.exists():
            time.sleep(0.01)
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


RUNNER = """
import sys
from pathlib import Path
sys.path[:0] = [*{tests!r}, {tools!r}]
from ablations.runner import Runner
from test_ablation_runner import script
Runner(Path({out!r}), 1, [], print).run([script("long", {code!r})])
"""


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid):
    """Whether a process is there, and not only waiting to be reaped."""
    status = Path(f"/proc/{pid}/status")
    return status.is_file() and "State:\tZ" not in status.read_text()


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="looks into /proc")
def test_children_end_with_a_killed_runner(tmp_path):
    pid = tmp_path / "pid"
    code = f"import os, time; open({str(pid)!r}, 'w').write(f'{{os.getpid()}} '); time.sleep(600)"
    places = {"tests": [str(REPOSITORY / "tests"), str(Path(__file__).parent)], "tools": str(TOOLS)}
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    script = RUNNER.format(**places, out=str(tmp_path / "out"), code=code)
    runner = subprocess.Popen([sys.executable, "-c", script], env=environment, cwd=REPOSITORY)
    try:
        wait_for(lambda: pid.is_file() and pid.read_text().endswith(" "))
    finally:
        runner.kill()
        runner.wait()
    wait_for(lambda: not is_running(int(pid.read_text())), 20)


def test_job_of_another_run_is_waited_for_and_reused(tmp_path):
    """What is finished elsewhere meanwhile is not done again, and other jobs go first."""
    count = tmp_path / "count"
    shared = script("shared", f"open({str(count)!r}, 'a').write('1')")
    other, said = script("other", ""), []
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
    assert not thread.is_alive() and runner.failed == {} and not count.exists()
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
    assert subprocess.run([*command, "0"]).returncode == 0
    assert read_json(usage)["rss_mib"] == 5000


# ---------------------------------------------------------------------------------------- trainings
RUN = """
import sys
from pathlib import Path
sys.path[:0] = [*{tests!r}, {tools!r}]
import ablation
import pointcept_wsegpc.register  # noqa: F401  fills the registries
import test_ablation_runner
study = ablation.Study(test_ablation_runner.tiny({root!r}, partition="of the tests"))
table = test_ablation_runner.two_rows()
runner = ablation.run_table(study, table, [0], Path({out!r}), workers=2)
out = Path({out!r})
result = ablation.table_result(study, table, [0], out, "a command", runner)
ablation.write_table(result, out, study, table, [0], out)
"""


def two_rows():
    rows = rows_of("components")
    good = dataclasses.replace(rows["CMG + RPC 3D"], stage_two="pseudo")
    broken = Row("broken", {"model.no_such_option": 1}, stage_two="truth")
    return Table("pair", "Two rows", (broken, good))


def start(root, out):
    places = {"tests": [str(REPOSITORY / "tests"), str(Path(__file__).parent)], "tools": str(TOOLS)}
    code = RUN.format(**places, root=str(root), out=str(out))
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    environment.pop("POINTCEPT_ROOT", None)
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment, start_new_session=True, cwd=REPOSITORY
    )


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
def test_killed_and_resumed_gives_equal_results(prepared_root, tmp_path):
    study = Study(tiny(prepared_root))
    roles = study.jobs(two_rows().rows[1], 0)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(prepared_root, whole).wait() == 0
    for role in ("second", "stage_two"):
        log = roles[role].folder(killed) / "train.log"
        kill_when(start(prepared_root, killed), log, "Train: [2/3][2/3]")
    assert start(prepared_root, killed).wait() == 0
    for role in ("second", "stage_two"):
        one, other = (
            torch.load(roles[role].output(out), weights_only=False) for out in (whole, killed)
        )
        assert one["epoch"] == other["epoch"] == 3
        resumed = (roles[role].folder(killed) / "train.log").read_text()
        assert "Resuming train at eval epoch: " in resumed
        for key, value in one["state_dict"].items():
            assert torch.equal(value, other["state_dict"][key]), (role, key)
    one, other = (read_json(out / "pair.json") for out in (whole, killed))
    assert one["rows"][1]["metrics"] == other["rows"][1]["metrics"]
    check_pair(one)
    check_pair(other)


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
