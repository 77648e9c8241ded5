"""Child processes: logs, failures, progress."""

import functools
import io
import sys

import pytest

from pointcept_wsegpc.jobs.process import (
    ProgressLine,
    StepFailed,
    report_progress,
    run,
    run_together,
)


def test_progress_is_rare_where_there_is_no_terminal():
    stream = io.StringIO()
    line = ProgressLine(stream)
    line.show("early")
    line.last -= 3600
    line.show("late")
    line.clear()
    assert stream.getvalue().split() == ["late"]


def test_child_output_goes_to_the_log_and_failure_is_its_last_line(tmp_path):
    log = tmp_path / "log" / "child.log"
    run([sys.executable, "-c", "print('one')"], log, 1)
    failing = "import os, sys; print(os.environ['OMP_NUM_THREADS']); sys.exit('no such scene')"
    with pytest.raises(StepFailed, match=r"^no such scene \(log: .*child.log\)$"):
        run([sys.executable, "-c", failing], log, 3)
    assert log.read_text().splitlines() == ["one", "3", "no such scene"]


def test_progress_of_a_child_is_shown(tmp_path):
    child = (
        "from pointcept_wsegpc.jobs.process import report_progress\n"
        "print('no report yet', flush=True)\n"
        "report_progress('scene', 3, 8, 75.0, 'loss 0.5')\n"
        "print('done')"
    )
    shown = []
    run([sys.executable, "-c", child], tmp_path / "log.txt", 1, shown.append)
    assert shown[-1] == "scene 3/8, loss 0.5, 1:15 left"
    assert [path.name for path in tmp_path.iterdir()] == ["log.txt"]
    report_progress("scene", 1, 2)  # nobody waits: nothing happens


MEET = """
import pathlib, sys, time
mine, other = map(pathlib.Path, sys.argv[1:])
mine.touch()
while not other.exists():
    time.sleep(0.01)
"""


def test_tasks_run_at_the_same_time_and_fail_together(tmp_path):
    def start(script, mine, other, run):
        command = [sys.executable, "-c", script, str(tmp_path / mine), str(tmp_path / other)]
        run(command, tmp_path / f"{mine}.log", 1)

    task = functools.partial(functools.partial, start)
    run_together({"a": task(MEET, "a", "b"), "b": task(MEET, "b", "a")})
    with pytest.raises(StepFailed, match=r"^failed "):  # and ends c, which would wait for ever
        run_together(
            {"c": task(MEET, "c", "never"), "d": task(MEET + "sys.exit('failed')", "d", "c")}
        )
