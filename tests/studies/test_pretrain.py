"""Pre-training on images: what they are and say, that a training continues, and where it leads."""

import importlib
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config

from ablations import benchmarks
from ablations.benchmarks import LARGE, REPOSITORY
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.files import read_json
from pointcept_wsegpc.models.image_encoder import ImageEncoder
from pointcept_wsegpc.synthetic.benchmark import SIZES
from pretraining import images as rendering
from pretraining import training

SCANNET20 = ClassTable.shipped("scannet20")
SIZE = (24, 32)


@pytest.fixture(scope="module")
def rendered():
    return rendering.render_set(rendering.room_seeds(0)[0], 40, SIZE)


def run_tool(monkeypatch, out, *options):
    small = ["--steps", "2", "--num-images", "16", "--batch-size", "4", "--size", "32x24"]
    monkeypatch.setattr(sys, "argv", ["pretrain_images.py", "--out", str(out), *small, *options])
    tool = importlib.import_module("pretrain_images")
    monkeypatch.setattr(tool, "HELD_OUT", 8)
    assert tool.main() == 0
    return torch.load(out, weights_only=True)


# ----------------------------------------------------------------------------------- images


def test_seeds_are_disjoint():
    """Of the quickstart, of both sizes of the benchmark, of training and held-out images."""
    used = [0, *(size.scans.seed for size in SIZES.values())]
    for seed in range(50):
        used += rendering.room_seeds(seed)
    assert len(set(used)) == len(used)


def test_a_seed_of_the_scans_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="at least 0"):
        rendering.room_seeds(-1)
    monkeypatch.setattr(rendering, "FIRST_SEED", SIZES["small"].scans.seed - 7)
    with pytest.raises(ValueError, match=f"rooms of seed {SIZES['small'].scans.seed}, which"):
        rendering.room_seeds(3)


def test_the_tool_renders_rooms_of_those_seeds_alone(monkeypatch, tmp_path):
    asked = []
    make_room = rendering.make_room

    def spy(seed, *args):
        asked.append(seed)
        return make_room(seed, *args)

    monkeypatch.setattr(rendering, "make_room", spy)
    run_tool(monkeypatch, tmp_path / "a.pth", "--seed", "3")
    assert set(asked) == set(rendering.room_seeds(3))


def test_images(rendered):
    images, classes = rendered
    assert images.shape == (40, *SIZE, 3) and images.dtype == np.uint8
    assert classes.shape == (40, len(SCANNET20.names)) and set(np.unique(classes)) == {0, 1}
    assert images.std((1, 2, 3)).mean() > 10
    again = rendering.render_room(rendering.room_seeds(0)[0], SIZE, 2)
    np.testing.assert_array_equal(images[16:24], again[0])
    np.testing.assert_array_equal(classes[16:24], again[1])


def test_rooms_of_a_single_class(rendered):
    """Every other room has one class besides wall and floor, which most of its images show."""
    structure = [SCANNET20.names.index(name) for name in ("wall", "floor")]
    classes = np.delete(rendered[1], structure, axis=1).reshape(5, rendering.PER_ROOM, -1)
    for room in classes[1::2]:
        assert room.any(0).sum() == 1 and room.sum() > rendering.PER_ROOM / 2
    assert len({room.any(0).argmax() for room in classes[1::2]}) == 2


def test_crops(rendered):
    rng, image = np.random.default_rng(0), rendered[0][0]
    colors = {tuple(color) for color in image.reshape(-1, 3)}
    for _ in range(20):
        crop = training.cropped(image, rng)
        assert crop.shape == image.shape
        assert {tuple(color) for color in crop.reshape(-1, 3)} <= colors


# --------------------------------------------------------------------------------- training


def test_mean_average_precision():
    score = np.array([[3.0, 0, 0], [2, 1, 0], [1, 2, 0], [0, 3, 0]])
    classes = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0]])
    # First column: hits at ranks 1 and 3; second: at rank 4; third: no positive, skipped.
    expected = ((1 + 2 / 3) / 2 + 1 / 4) / 2
    assert training.mean_average_precision(score, classes) == pytest.approx(expected)
    assert np.isnan(training.mean_average_precision(score, np.zeros((4, 3))))


@pytest.mark.parametrize(("options", "stages"), [((), 3), (("--num-stages", "0"), None)])
def test_two_steps_train_and_the_file_loads(monkeypatch, tmp_path, options, stages):
    out = tmp_path / "weights.pth"
    state = run_tool(monkeypatch, out, *options)
    assert not list(tmp_path.glob("*.unfinished"))
    encoder = ImageEncoder("resnet18", weights=str(out), num_stages=stages)
    for key, value in encoder.network.state_dict().items():
        torch.testing.assert_close(value, state[key])
    torch.manual_seed(0)
    start = training.TagNet("resnet18", stages, len(SCANNET20.names)).encoder.network.state_dict()
    moved = [key for key in state if state[key].is_floating_point() and key in start
             and not torch.equal(state[key], start[key])]  # fmt: skip
    assert len(moved) == sum(value.is_floating_point() for value in state.values())


def test_finished_weights_are_kept_and_say_how_they_were_made(monkeypatch, tmp_path, capsys):
    out = tmp_path / "weights.pth"
    run_tool(monkeypatch, out)
    before = out.stat().st_mtime_ns
    settings = read_json(tmp_path / "weights.pth.json")["settings"]
    assert settings["seed"] == 0 and settings["steps"] == 2 and settings["network"] == "resnet18"
    run_tool(monkeypatch, out)
    assert out.stat().st_mtime_ns == before and "is finished" in capsys.readouterr().out
    with pytest.raises(ValueError, match="was made with other options; delete it"):
        run_tool(monkeypatch, out, "--seed", "1")


def test_weights_for_the_network_of_the_large_benchmark(monkeypatch, tmp_path):
    """By the options that benchmarks.py notes, at a smaller size: its row finds what it needs."""
    row = LARGE.image_weights["pretrained"]["model.image_encoder.weights"]
    options = benchmarks.PRETRAINING[row].split()
    assert options[options.index("--size") + 1] == "320x240"
    out = tmp_path / "weights.pth"
    run_tool(monkeypatch, out, *options, "--size", "32x24", "--workers", "1", "--num-images", "8")
    cfg = Config.fromfile(
        str(REPOSITORY / f"configs/{LARGE.first}.py"), import_custom_modules=False
    )
    ImageEncoder(**{**cfg.model.image_encoder, "weights": str(out)})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="about a GPU")
def test_a_training_on_a_gpu_continues_and_its_file_is_of_the_cpu(monkeypatch, tmp_path):
    monkeypatch.setattr(training, "SAVE_EVERY", 1)
    out = tmp_path / "weights.pth"
    save = training.Training.save

    def interrupted(self):
        save(self)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training.Training, "save", interrupted)
        run_tool(patch, out)
    state = run_tool(monkeypatch, out)
    assert {value.device.type for value in state.values()} == {"cpu"}


def test_equal_seeds_give_equal_weights_also_after_an_interruption(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    whole = run_tool(monkeypatch, tmp_path / "a.pth", "--steps", "4")
    update = training.Training._update

    def interrupted(self, *batch):
        if self.step == 2:
            raise KeyboardInterrupt
        return update(self, *batch)

    monkeypatch.setattr(training, "SAVE_EVERY", 1)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training.Training, "_update", interrupted)
        run_tool(patch, tmp_path / "b.pth", "--steps", "4")
    assert (tmp_path / "b.pth.unfinished").is_file() and not (tmp_path / "b.pth").exists()
    with pytest.raises(ValueError, match="same options, or delete"):
        run_tool(monkeypatch, tmp_path / "b.pth", "--steps", "5")
    resumed = run_tool(monkeypatch, tmp_path / "b.pth", "--steps", "4")
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    other = run_tool(monkeypatch, tmp_path / "c.pth", "--steps", "4", "--seed", "1")
    assert not torch.equal(whole["conv1.weight"], other["conv1.weight"])


def test_minutes_end_a_training(tmp_path, rendered):
    net = training.TagNet("resnet18", 1, len(SCANNET20.names))
    run = training.Training(net, tmp_path / "state", {}, 0.001, 0.01)
    run.run(*rendered, steps=10_000, minutes=1e-4, batch=2, seed=0)
    assert 0 < run.step < 10


def test_it_learns(tmp_path, rendered):
    """On the images that it trains on, in a few steps: the loss falls, the order gets better."""
    torch.manual_seed(0)
    net = training.TagNet("resnet18", 2, len(SCANNET20.names))
    run = training.Training(net, tmp_path / "state", {}, 0.003, 0.01)
    before = training.held_out(net, *rendered)
    run.run(*rendered, steps=40, minutes=5, batch=16, seed=0)
    after = training.held_out(net, *rendered)
    assert after[0] < 0.6 * before[0] and after[1] > before[1] + 0.1
