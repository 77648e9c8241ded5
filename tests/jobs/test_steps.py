"""Steps: reused, resumed, started over, by one run at a time."""

import pytest

from pointcept_wsegpc.files import read_json
from pointcept_wsegpc.jobs.process import StepFailed
from pointcept_wsegpc.jobs.steps import Steps, exclusive


@pytest.fixture
def new_steps(tmp_path):
    """new_steps(): the steps of one more run in the same folder; `new_steps.said` has the lines."""

    def make():
        return Steps(tmp_path / "steps.json", 2, make.said.append)

    make.said = []
    return make


def test_finished_step_is_reused(new_steps, tmp_path):
    calls = []
    for _ in range(2):
        new_steps().run("one", {"size": 3}, tmp_path, calls.append)
    assert calls == [False]
    assert "1/2 one: reused" in new_steps.said[1]


def test_step_without_its_output_is_done_again(new_steps, tmp_path):
    calls = []
    for _ in range(2):
        new_steps().run("one", {}, tmp_path / "gone", calls.append)
    assert calls == [False, False]


def test_changed_settings_start_this_and_later_steps_over(new_steps, tmp_path):
    calls = []
    for size in (3, 4):
        steps = new_steps()
        steps.run("one", {"size": size}, tmp_path, lambda resume: calls.append(("one", resume)))
        steps.run("two", {}, tmp_path, lambda resume: calls.append(("two", resume)))
    assert calls == [("one", False), ("two", False)] * 2


def test_interrupted_step_resumes_and_its_times_add_up(new_steps, tmp_path):
    def interrupted(resume):
        raise KeyboardInterrupt

    steps = new_steps()
    with pytest.raises(KeyboardInterrupt):
        steps.run("one", {}, tmp_path, interrupted)
    before = steps.seconds()["one"]
    calls = []
    steps = new_steps()
    steps.run("one", {}, tmp_path, calls.append)
    assert calls == [True]
    assert steps.seconds()["one"] > before
    assert "one: continues" in new_steps.said[-1]


def test_second_run_in_one_folder_is_refused(tmp_path):
    with (
        exclusive(tmp_path / "lock"),
        pytest.raises(StepFailed, match="another run"),
        exclusive(tmp_path / "lock", patience=0.1),
    ):
        pass
    with exclusive(tmp_path / "lock"):
        pass


def test_branch_depends_on_the_steps_before_it(new_steps, tmp_path):
    done = []
    for settings, own in (("a", "x"), ("a", "x"), ("a", "y"), ("b", "y")):
        steps = new_steps()
        steps.run("trunk", settings, tmp_path, lambda _: done.append("trunk"))
        branch = steps.branch(tmp_path / "branch.json", 1)
        branch.run("branch", own, tmp_path, lambda _: done.append("branch"))
        assert list(branch.seconds()) == ["branch"] and list(steps.seconds()) == ["trunk"]
    assert done == ["trunk", "branch", "branch", "trunk", "branch"]


@pytest.mark.parametrize("content", ["", '{"a": {"key"', '{"a": 3}', "[]"])
def test_a_damaged_record_makes_steps_start_over(content, tmp_path):
    file, done = tmp_path / "steps.json", []
    Steps(file, 1, done.append).run("a", 1, file, lambda _: done.append("ran"))
    file.write_text(content)
    Steps(file, 1, done.append).run("a", 1, file, lambda resume: done.append(resume))
    assert done[-1] is False and read_json(file)["a"]["finished"]
