"""Pre-training on images: what they are and say, that a training continues, and where it leads."""

import numpy as np
import pytest
import torch
from mmengine.config import Config

import pretrain_images
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


def run_tool(monkeypatch, out, *options, status=0):
    small = ["--steps", "2", "--num-images", "8", "--batch-size", "4", "--size", "32x24"]
    monkeypatch.setattr(pretrain_images, "HELD_OUT", 8)
    words = ["--out", str(out), *small, *options]
    assert pretrain_images.command.main(words, standalone_mode=False) == status
    return None if status else torch.load(out, weights_only=True)


# ----------------------------------------------------------------------------------- images


def test_seeds_are_disjoint():
    """Of plain rooms, of both sizes of the benchmark, of training and held-out images."""
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
def test_weights_are_those_of_the_network_and_are_kept(
    options, stages, monkeypatch, tmp_path, capsys
):
    asked, make_room, out = set(), rendering.make_room, tmp_path / "weights.pth"
    spy = lambda seed, *args: asked.add(seed) or make_room(seed, *args)  # noqa: E731
    monkeypatch.setattr(rendering, "make_room", spy)
    state = run_tool(monkeypatch, out, *options)
    assert asked == set(rendering.room_seeds(0))  # no other rooms, such as those of scans
    assert not list(tmp_path.glob("*.unfinished"))
    encoder = ImageEncoder("resnet18", weights=str(out), num_stages=stages)
    for key, value in encoder.network.state_dict().items():
        torch.testing.assert_close(value, state[key])
    torch.manual_seed(0)
    start = training.TagNet("resnet18", stages, len(SCANNET20.names)).encoder.network.state_dict()
    floats = [key for key in state if state[key].is_floating_point()]
    assert not any(torch.equal(state[key], start[key]) for key in floats)
    settings = read_json(tmp_path / "weights.pth.json")["settings"]
    assert settings["seed"] == 0 and settings["steps"] == 2 and settings["size"] == [24, 32]
    before = out.stat().st_mtime_ns
    run_tool(monkeypatch, out, *options)
    run_tool(monkeypatch, out, *options, "--seed", "1", status=1)
    assert out.stat().st_mtime_ns == before
    assert "was made with other options; delete it" in capsys.readouterr().err


def test_weights_for_the_network_of_the_large_benchmark():
    """By the options that benchmarks.py notes: the row finds what it needs."""
    row = LARGE.image_weights["pretrained"]["model.image_encoder.weights"]
    words = ["--out", "weights.pth", *benchmarks.PRETRAINING[row].split()]
    options = pretrain_images.command.make_context("pretrain_images", words).params
    path = str(REPOSITORY / f"configs/{LARGE.first}.py")
    encoder = Config.fromfile(path, import_custom_modules=False).model.image_encoder
    assert encoder.name.split(".")[0] == options["network"] and options["size"] == (240, 320)
    assert encoder.get("num_stages") == (options["num_stages"] or None)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_equal_seeds_give_equal_weights_also_after_an_interruption(device, monkeypatch, tmp_path):
    if device == "cpu":
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    elif not torch.cuda.is_available():
        pytest.skip("about a GPU")
    whole = run_tool(monkeypatch, tmp_path / "a.pth", "--steps", "4")
    update = training.Training._update

    def interrupted(self, *batch):
        if self.step == 2:
            raise KeyboardInterrupt
        return update(self, *batch)

    monkeypatch.setattr(training, "SAVE_EVERY", 1)
    out = tmp_path / "b.pth"
    with monkeypatch.context() as patch:
        patch.setattr(training.Training, "_update", interrupted)
        run_tool(patch, out, "--steps", "4", status=130)
    assert (tmp_path / "b.pth.unfinished").is_file() and not out.exists()
    run_tool(monkeypatch, out, "--steps", "5", status=1)  # other options
    resumed = run_tool(monkeypatch, out, "--steps", "4")
    assert {value.device.type for value in resumed.values()} == {"cpu"}
    if device == "cpu":
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
