"""`wsegpc quickstart`: its steps and numbers; and, slow, all of it, tiny."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli import refused

from pointcept_wsegpc.commands import quickstart
from pointcept_wsegpc.commands.quickstart import Plan, make_plan, run_plan, train
from pointcept_wsegpc.commands.trainings import relative
from pointcept_wsegpc.jobs import process
from pointcept_wsegpc.jobs.steps import Steps, continued_seed, exclusive, last_checkpoint

# ------------------------------------------------------------------------------------- steps


@pytest.fixture
def new_steps(tmp_path):
    """new_steps(): the steps of one more run in the same folder; `new_steps.said` has the lines."""

    def make():
        return Steps(tmp_path / "steps.json", 2, make.said.append)

    make.said = []
    return make


def test_interrupted_training_goes_on_from_its_last_checkpoint(new_steps, tmp_path):
    plan, commands = Plan(out=tmp_path), []
    arm = plan.arms[-1]
    last = last_checkpoint(arm.training("wsegpc-cmg"))

    def run_until_the_first_checkpoint(command, *_, **__):
        commands.append(command[command.index("--options") + 1 :])
        last.parent.mkdir(parents=True, exist_ok=True)
        last.touch()
        raise KeyboardInterrupt

    for learning_rate in (0.1, 0.1, 0.2):  # the third is another training: it starts over
        options = {"optimizer.lr": learning_rate, "weight": tmp_path / "first.pth"}
        run, steps = run_until_the_first_checkpoint, new_steps()
        with pytest.raises(KeyboardInterrupt):
            train(plan, arm, steps, run, "train", "wsegpc-cmg", **options)
    assert ["resume=True" in command for command in commands] == [False, True, False]
    weights = [[word for word in command if word.startswith("weight=")] for command in commands]
    first, checkpoint = f"weight={relative(tmp_path / 'first.pth')}", f"weight={relative(last)}"
    assert weights == [[first], [first, checkpoint], [first]]  # the last one counts


@pytest.fixture
def trainings(tmp_path, monkeypatch):
    """trainings(plan): {arm: [(config, {key: value})]} of what it would train."""

    def of(plan):
        found = {}

        def note(command, *_, threads=0, **__):
            if command[3] == "train":
                config = Path(command[command.index("--config-file") + 1]).name
                pairs = command[command.index("--options") + 1 :]
                options = dict(pair.split("=", 1) for pair in pairs)
                arm = Path(options["save_path"]).parent.name
                found.setdefault(arm, []).append((config, options))
                assert threads == 1  # sums then come out the same, whatever runs beside it

        for module in (quickstart, process):
            monkeypatch.setattr(module, "run", note)
        monkeypatch.setattr(quickstart, "draw", lambda *_: None)
        monkeypatch.setattr(quickstart.report, "closing", lambda *_: [])
        run_plan(plan, lambda _: None)
        return found

    return of


def test_arms_train_on_the_same_terms(trainings, tmp_path):
    """Seeds and lengths, rates and networks: all but what the method adds, and whose labels."""
    found = trainings(Plan(data=tmp_path / "data", out=tmp_path / "out", seed=3))
    assert set(found) == {"baseline", "method"}
    own = {"save_path", "weight", "data.train.store"}
    added = {f"{kind}_{end}" for kind in ("guidance", "rpc") for end in ("3d", "2d")}
    added |= {"guidance_warmup_iters", "rpc_warmup_iters", "rpc_3d_weight", "rpc_2d_weight"}
    for (one, ours), (other, theirs) in zip(found["baseline"], found["method"], strict=True):
        assert {k: v for k, v in ours.items() if k not in own} == {
            k: v for k, v in theirs.items() if k not in own
        }
        for config, options in ((one, ours), (other, theirs)):
            assert options["save_path"].endswith(config)
        one, other = (Plan().config(config).to_dict() for config in (one, other))
        assert one["model"].keys() - added == other["model"].keys() - added
        for key in one.keys() - {"model"}:
            assert one[key] == other[key], key
        for key in one["model"].keys() - added:
            assert one["model"][key] == other["model"][key], key
    first, second, stage_two = (options for _, options in found["method"])
    assert first["seed"] == "3" == stage_two["seed"]
    # Both parts count epochs from 0, and a sample is a function of (seed, epoch, index).
    assert int(second["seed"]) == continued_seed(3) > 2**16


def test_each_arm_goes_on_from_its_own(trainings, tmp_path):
    for arm, parts in trainings(Plan(data=tmp_path / "data", out=tmp_path / "out")).items():
        (first, _), (second, options), (_, stage_two) = parts
        folder = tmp_path / "out" / arm
        assert Path(options["weight"]).resolve() == last_checkpoint(folder / first)
        assert Path(stage_two["data.train.store"]).resolve() == folder / second / "pseudo_labels"


def test_method_only(trainings, tmp_path):
    plan = Plan(data=tmp_path / "data", out=tmp_path / "out", method_only=True)
    assert set(trainings(plan)) == {"method"}


PARENT = """
import sys
from pathlib import Path
from pointcept_wsegpc.jobs.process import run
command = [sys.executable, "-m", "pointcept_wsegpc", "quickstart", "--out", "exp"]
run(command, Path("log"), 1, started=lambda child: print(child.pid, flush=True))
"""


def test_child_ends_with_a_parent_that_is_killed(tmp_path):
    """Here a quickstart that waits for one with another seed to make the scans."""
    with exclusive(tmp_path / "data/.quickstart.lock"):
        command = [sys.executable, "-c", PARENT]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as parent:
            child = Path("/proc", parent.stdout.readline().decode().strip())
            while not (tmp_path / "exp/.lock").exists():
                time.sleep(0.1)
            assert child.exists()
            parent.kill()
        while child.exists():
            time.sleep(0.1)
    assert not (tmp_path / "exp/steps.json").exists()


# ------------------------------------------------------------------------------------ report


def test_other_seeds_have_their_own_folder():
    assert make_plan(seed=2).out.name == "quickstart-seed2"
    assert make_plan() == Plan()


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
        train_scenes=5,
        val_scenes=2,
        scans={
            "edition": "small",
            "points": 4000,
            "frames": 12,
            "color_size": "64x48",
            "depth_size": "48x36",
        },
        view_size="48x36",
        overrides={"epoch": 2, "eval_epoch": 1, "data.train.loop": 2},
    )


@pytest.mark.slow
def test_main_job_end_to_end_and_again(tmp_path):
    plan = tiny_plan(tmp_path)
    said = []
    run_plan(plan, said.append)
    steps, text = [line for line in said if line.startswith("[")], "\n".join(said)
    assert len(steps) == 12 and not any("reused" in line for line in steps)
    rows = [
        line.split() for line in said if line.startswith(("  baseline ", "  method ", "  diff"))
    ]
    assert [row[0] for row in rows] == ["baseline", "method", "difference"] * 2
    for baseline, method, difference in (rows[:3], rows[3:]):
        values = [[float(word) for word in row[1:]] for row in (baseline, method, difference)]
        for one, other, more in zip(*values, strict=True):
            assert 0 <= one <= 100 and other - one == pytest.approx(more, abs=0.11)
    for word in ("seed 0", "Engine"):
        assert word in text
    assert {path.name for path in plan.figures.iterdir()} == {"train.png", "val.png"}
    times = {path: path.stat().st_mtime_ns for path in plan.out.rglob("*.pth")}
    assert len(times) >= 6
    again = []
    run_plan(plan, again.append)
    assert sum("reused" in line for line in again) == 12
    assert again[12:] == said[12:]
    assert times == {path: path.stat().st_mtime_ns for path in times}
