"""Child processes: logs, failures, progress."""

import io
import sys

import pytest

from pointcept_wsegpc.jobs.process import ProgressLine, StepFailed, report_progress, run


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
