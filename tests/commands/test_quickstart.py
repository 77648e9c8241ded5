"""`wsegpc quickstart`: its steps and numbers; and, slow, all of it, tiny."""

from pathlib import Path

import pytest
from cli import refused

from pointcept_wsegpc.commands import quickstart, trainings
from pointcept_wsegpc.commands.quickstart import Plan, make_plan, run_plan, train
from pointcept_wsegpc.commands.trainings import relative
from pointcept_wsegpc.jobs.steps import Steps, continued_seed

# ------------------------------------------------------------------------------------- steps


@pytest.fixture
def new_steps(tmp_path):
    """new_steps(): the steps of one more run in the same folder; `new_steps.said` has the lines."""

    def make():
        return Steps(tmp_path / "steps.json", 2, make.said.append)

    make.said = []
    return make


def test_interrupted_training_goes_on_from_its_last_checkpoint(new_steps, tmp_path, monkeypatch):
    plan, commands = Plan(out=tmp_path), []
    last = plan.checkpoint("wsegpc-cmg")

    def run_until_the_first_checkpoint(command, *_, **__):
        commands.append(command[command.index("--options") + 1 :])
        last.parent.mkdir(parents=True, exist_ok=True)
        last.touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(trainings, "run", run_until_the_first_checkpoint)
    for learning_rate in (0.1, 0.1, 0.2):  # the third is another training: it starts over
        options = {"optimizer.lr": learning_rate, "weight": tmp_path / "first.pth"}
        with pytest.raises(KeyboardInterrupt):
            train(plan, new_steps(), 0, "train", "wsegpc-cmg", **options)
    assert ["resume=True" in command for command in commands] == [False, True, False]
    weights = [[word for word in command if word.startswith("weight=")] for command in commands]
    first, checkpoint = f"weight={relative(tmp_path / 'first.pth')}", f"weight={relative(last)}"
    assert weights == [[first], [first, checkpoint], [first]]  # the last one counts


def test_second_part_has_another_seed_than_the_first(tmp_path, monkeypatch):
    """Both count epochs from 0, and a sample is a function of (seed, epoch, index)."""
    seeds = []
    plan = Plan(data=tmp_path / "data", out=tmp_path / "out", seed=3)

    def note(command, *_, **__):
        if command[3] == "train":
            name = Path(command[command.index("--config-file") + 1]).stem
            seeds.extend((name, int(word[5:])) for word in command if word.startswith("seed="))

    for module in (quickstart, trainings):
        monkeypatch.setattr(module, "run", note)
    monkeypatch.setattr(quickstart, "label_and_draw", lambda *_: None)
    monkeypatch.setattr(quickstart, "closing_report", lambda *_: [])
    run_plan(plan, lambda _: None)
    seeds = dict(seeds)
    assert seeds["wsegpc-cmg"] == 3 == seeds["stage2-minkunet"]
    assert seeds["wsegpc-cmg-rpc"] == continued_seed(3) > 2**16


# ------------------------------------------------------------------------------------ report


def test_other_seeds_have_their_own_folder():
    assert make_plan(seed=2, baseline=True).out.name == "quickstart-seed2"
    assert make_plan() == Plan()


def test_baseline_is_as_long_as_both_parts_of_stage_one():
    plan = Plan(overrides={"epoch": 12, "eval_epoch": 4})
    assert plan.baseline_length() == {"epoch": 24, "eval_epoch": 8}


@pytest.mark.parametrize("name", ["a b", "a,b", "a(1)", "a{1}", "a'b", 'a"b', "a=b"])
def test_path_that_options_cannot_carry_is_refused(name, tmp_path):
    assert "rename the folder" in refused("quickstart", "--out", tmp_path / name)
    for root, out in (("data", name), (name, "exp")):
        assert name in refused("train-scans", tmp_path / root, "--out", tmp_path / out)


# ------------------------------------------------------------------------- all of it, tiny


def tiny_plan(folder):
    return Plan(
        raw=folder / "raw",
        data=folder / "data",
        out=folder / "exp",
        baseline=True,
        train_scenes=5,
        val_scenes=2,
        points=4000,
        frames=12,
        color_size="64x48",
        depth_size="48x36",
        view_size="48x36",
        overrides={"epoch": 2, "eval_epoch": 1, "data.train.loop": 2},
    )


@pytest.mark.slow
def test_main_job_end_to_end_and_again(tmp_path):
    plan = tiny_plan(tmp_path)
    said = []
    run_plan(plan, said.append)
    steps, text = [line for line in said if line.startswith("[")], "\n".join(said)
    assert len(steps) == 8 and not any("reused" in line for line in steps)
    for word in ("coverage", "CMG + RPC", "CAM, equally long", "stage two", "seed 0", "Engine"):
        assert word in text
    assert len(list(plan.figures.glob("train-*.png"))) == 3
    assert len(list(plan.figures.glob("val-*.png"))) == 1
    times = {path: path.stat().st_mtime_ns for path in plan.out.rglob("*.pth")}
    assert len(times) >= 4
    again = []
    run_plan(plan, again.append)
    assert sum("reused" in line for line in again) == 8
    assert again[8:] == said[8:]
    assert times == {path: path.stat().st_mtime_ns for path in times}
