"""The quickstart: its steps, child processes, tables and pictures; and, slow, all of it, tiny."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stores import write_store

import quickstart
import train_folder
from main_job import report
from main_job.plan import REPOSITORY, Plan, relative
from pointcept_wsegpc.contracts.classes import IGNORE, ClassTable
from pointcept_wsegpc.jobs.steps import Steps, continued_seed
from pointcept_wsegpc.visualize import scenes as pictures
from pointcept_wsegpc.visualize.colors import NO_LABEL, label_colors
from quickstart import parse_arguments, run_plan, run_training

SCANNET20 = ClassTable.shipped("scannet20")

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

    monkeypatch.setattr(quickstart, "run", run_until_the_first_checkpoint)
    for learning_rate in (0.1, 0.1, 0.2):  # the third is another training: it starts over
        options = {"optimizer.lr": learning_rate, "weight": tmp_path / "first.pth"}
        with pytest.raises(KeyboardInterrupt):
            run_training(plan, new_steps(), 0, "train", "wsegpc-cmg", **options)
    assert ["resume=True" in command for command in commands] == [False, True, False]
    weights = [[word for word in command if word.startswith("weight=")] for command in commands]
    first, checkpoint = f"weight={relative(tmp_path / 'first.pth')}", f"weight={relative(last)}"
    assert weights == [[first], [checkpoint], [first]]


def test_second_part_has_another_seed_than_the_first(tmp_path, monkeypatch):
    """Both count epochs from 0, and a sample is a function of (seed, epoch, index)."""
    seeds = []
    plan = Plan(data=tmp_path / "data", out=tmp_path / "out", seed=3)

    def note(command, *_, **__):
        if command[1] == "tools/train.py":
            name = Path(command[command.index("--config-file") + 1]).stem
            seeds.extend((name, int(word[5:])) for word in command if word.startswith("seed="))

    monkeypatch.setattr(quickstart, "run", note)
    monkeypatch.setattr(quickstart, "label_and_draw", lambda *_: None)
    monkeypatch.setattr(quickstart, "closing_report", lambda *_: [])
    run_plan(plan, lambda _: None)
    seeds = dict(seeds)
    assert seeds["wsegpc-cmg"] == 3 == seeds["stage2-minkunet"]
    assert seeds["wsegpc-cmg-rpc"] == continued_seed(3) > 2**16


# ------------------------------------------------------------------------------------ report


def test_other_seeds_have_their_own_folder():
    plan = parse_arguments(["--seed", "2", "--with-baseline"])
    assert plan.out.name == "quickstart-seed2" and plan.baseline
    assert parse_arguments([]) == Plan()


def test_baseline_is_as_long_as_both_parts_of_stage_one():
    plan = Plan(overrides={"epoch": 12, "eval_epoch": 4})
    assert plan.baseline_length() == {"epoch": 24, "eval_epoch": 8}


@pytest.mark.parametrize("name", ["a b", "a,b", "a(1)", "a{1}", "a'b", 'a"b', "a=b"])
def test_path_that_options_cannot_carry_is_refused(name, monkeypatch):
    told = re.escape(name) + ".*: options hold no path with spaces.*rename the folder"
    with pytest.raises(ValueError, match=told):
        Plan(out=REPOSITORY / name).train("wsegpc-cam")
    for places in (["data", "--out", name], [name, "--out", "exp"]):
        monkeypatch.setattr(sys, "argv", ["train_folder.py", *places])
        with pytest.raises(ValueError, match=told):
            train_folder.run_all(train_folder.parse_arguments())


def test_tables(tmp_path):
    stores = {}
    for title, value in (("CMG", 0.25), ("CMG + RPC", 0.5)):
        stores[title] = tmp_path / title
        miou = {"3d": value, "3d_no_vote": 0.125, "2d": 0.1}
        write_store(stores[title], {"a": np.zeros(3)}, quality={"miou": miou})
    head, *rows = [line.split() for line in report.pseudo_label_table(stores)]
    assert head[-5:] == ["3D", "before", "vote", "2D", "coverage"]
    assert [row[-4:] for row in rows] == [
        ["25.0", "12.5", "10.0", "100.0"],
        ["50.0", "12.5", "10.0", "100.0"],
    ]
    assert report.time_table({"a": 60, "b": 90})[-1].split() == ["together", "2.5"]


def test_prediction_miou_is_pooled_over_scenes(tmp_path):
    segments = {"a": [0, 0, 1, IGNORE], "b": [1, 1, 1, 1]}
    labels = {"a": [0, 1, 1, 5], "b": [1, 1, 1, IGNORE]}
    for scene, segment in segments.items():
        folder = tmp_path / "val" / scene
        folder.mkdir(parents=True)
        np.save(folder / "coord.npy", np.zeros((4, 3), np.float32))
        np.save(folder / "segment20.npy", np.array(segment, np.int16))
        np.savez(tmp_path / f"{scene}.npz", label=np.array(labels[scene], np.int16))
    # Class 0: 1 of 2; class 1: 4 right, 1 false, 1 missed.
    assert report.stage_two_miou(tmp_path, "val", tmp_path) == pytest.approx((1 / 2 + 4 / 6) / 2)


# ---------------------------------------------------------------------------------- pictures


def square(height, normal, count=40):
    """Points and normals of a horizontal 1 m square."""
    x, y = np.meshgrid(*[np.linspace(0, 1, count)] * 2)
    coord = np.stack([x.ravel(), y.ravel(), np.full(x.size, height)], 1)
    return coord, np.broadcast_to(np.array(normal, float), coord.shape)


def test_nearer_surface_covers_the_farther():
    below, up = square(0, (0, 0, 1))
    above, _ = square(0.01, (0, 0, 1))
    shown = pictures.visible_points(np.concatenate([above, below]), np.concatenate([up, up]))
    seen = shown[shown >= 0]
    assert seen.size > shown.size / 10
    assert (seen < len(above)).mean() > 0.9


def test_surface_seen_from_behind_is_left_out():
    ceiling, down = square(2, (0, 0, -1))
    floor, up = square(0, (0, 0, 1))
    shown = pictures.visible_points(np.concatenate([ceiling, floor]), np.concatenate([down, up]))
    assert (shown[shown >= 0] >= len(ceiling)).all()


def test_flat_surface_has_no_holes():
    coord, normal = square(0, (0, 0, 1))
    shown = pictures.visible_points(coord, normal)
    inside = shown[:, shown.shape[1] // 2] >= 0
    rows = np.flatnonzero(inside)
    assert inside[rows[0] : rows[-1]].all()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_picture_of_few_points(count):
    coord = np.zeros((count, 3))
    shown = pictures.visible_points(coord, np.tile([0.0, 0, 1], (count, 1)))
    picture = pictures.paint(shown, np.zeros((count, 3), np.uint8))
    assert picture.shape == (*pictures.PANEL, 3)
    assert (picture.min() == 0) == (count > 0)


def test_paint_puts_each_points_color_where_it_shows():
    shown = np.full((4, 4), -1)
    shown[:2, :2], shown[2:, 2:] = 0, 1
    picture = pictures.paint(shown, np.array([[200, 0, 0], [0, 100, 0]], np.uint8))
    white = [255, 255, 255]
    assert picture.tolist() == [[[200, 0, 0], white], [white, [0, 100, 0]]]


def test_label_colors_are_distinct_and_end_with_ignore():
    for names in (SCANNET20, ClassTable(list("abcdefghijklm"))):
        colors = label_colors(names)
        assert len(np.unique(colors, axis=0)) == len(names) + 1
        assert tuple(colors[IGNORE]) == NO_LABEL


def test_draw_scenes_writes_a_picture_with_unlabelled_points(tmp_path):
    coord, normal = square(0, (0, 0, 1))
    truth = np.zeros(len(coord), int)
    labels = {"ground truth": truth, "stage two": np.where(coord[:, 0] < 0.5, IGNORE, 0)}
    color = np.full((len(coord), 3), 90, np.uint8)
    rows = [pictures.SceneRow(name, coord, normal, color, labels, ("floor",)) for name in "ab"]
    pictures.draw_scenes(tmp_path / "new" / "ab.png", rows, SCANNET20)
    with Image.open(tmp_path / "new" / "ab.png") as image:
        drawn = {tuple(pixel) for pixel in np.asarray(image.convert("RGB")).reshape(-1, 3)}
    shaded = pictures.shade(label_colors(SCANNET20)[[0, IGNORE]], normal[:2])
    assert {(90, 90, 90), *map(tuple, shaded)} <= drawn


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
    assert len(list(plan.pictures.glob("train-*.png"))) == 3
    assert len(list(plan.pictures.glob("val-*.png"))) == 1
    times = {path: path.stat().st_mtime_ns for path in plan.out.rglob("*.pth")}
    assert len(times) >= 4
    again = []
    run_plan(plan, again.append)
    assert sum("reused" in line for line in again) == 8
    assert again[8:] == said[8:]
    assert times == {path: path.stat().st_mtime_ns for path in times}
