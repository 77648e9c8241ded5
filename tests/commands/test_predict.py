"""`wsegpc predict`: labels of whole scenes from a finished stage two."""

import numpy as np
import pytest
import torch
from cli import refused, wsegpc
from pointcept.models.builder import MODELS, build_model
from pointcept.utils.config import Config
from torch import nn

import pointcept_wsegpc.register  # noqa: F401  the data sets by name
from pointcept_wsegpc.commands.configs import find_config

MODEL = {"type": "DefaultSegmentor", "backbone": {"type": "Test-PointScores"}, "criteria": []}


@MODELS.register_module("Test-PointScores")
class PointScores(nn.Module):
    """Scores (N, 20) of each voxel's color and normal alone."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 20)

    def forward(self, input_dict):
        return self.linear(input_dict["feat"])


@pytest.fixture
def finished(prepared_root, tmp_path):
    """A training's folder: its config and its last checkpoint."""
    val = Config.fromfile(str(find_config("quickstart/stage2-minkunet"))).data.val
    val.data_root = str(prepared_root)
    Config({"model": MODEL, "data": {"val": val}}).dump(str(tmp_path / "config.py"))
    torch.manual_seed(3)
    torch.save({"state_dict": build_model(MODEL).state_dict()}, tmp_path / "model_last.pth")
    return tmp_path


def arguments(folder, out="out", weight="model_last.pth", config="config.py"):
    files = ["--config-file", folder / config, "--weight", folder / weight]
    return ["predict", *files, "--out", folder / out]


def labels(folder):
    return {path.stem: np.load(path)["label"] for path in folder.glob("*.npz")}


def test_labels_every_point_and_repeats(finished, prepared_root):
    assert wsegpc(*arguments(finished)).exit_code == 0
    first = labels(finished / "out")
    points = {s.name: len(np.load(s / "coord.npy")) for s in (prepared_root / "val").iterdir()}
    assert {scene: len(label) for scene, label in first.items()} == points
    assert {label.dtype for label in first.values()} == {np.dtype(np.int16)}
    np.random.seed(99)  # where the generators stand does not matter
    assert wsegpc(*arguments(finished, "again")).exit_code == 0
    again = labels(finished / "again")
    assert all(np.array_equal(label, again[scene]) for scene, label in first.items())


def change_config(folder, change):
    config = Config.fromfile(str(folder / "config.py"))
    change(config)
    config.dump(str(folder / "config.py"))


def collect_no_inverse(config):
    collect = config.data.val.transform[-1]
    collect["keys"] = [key for key in collect["keys"] if key != "inverse"]


def use_stage_one_data(config):
    config.data.val = {"type": "WSegPCMultiViewDataset", "data_root": config.data.val.data_root}


@pytest.mark.parametrize("change", [collect_no_inverse, use_stage_one_data])
def test_needs_the_way_back_to_points(finished, change):
    change_config(finished, change)
    assert "data.val collects no inverse" in refused(*arguments(finished))
    assert not (finished / "out").exists()


def test_every_entry_must_match(finished):
    state = torch.load(finished / "model_last.pth")["state_dict"]
    state["module.extra"] = state.pop("backbone.linear.bias")
    torch.save({"state_dict": state}, finished / "model_last.pth")
    line = refused(*arguments(finished))
    assert "1 missing (backbone.linear.bias), 1 unknown (extra)" in line


@pytest.mark.parametrize(
    "wrong", [{"weight": "none.pth"}, {"weight": "config.py"}, {"config": "a.py"}]
)
def test_missing_and_foreign_files(finished, wrong):
    assert str(next(iter(wrong.values()))) in refused(*arguments(finished, **wrong))


def test_a_component_that_the_engine_lacks_is_one_line(finished):
    change_config(finished, lambda config: config.model.update(type="No-Such-Model"))
    assert "No-Such-Model" in refused(*arguments(finished))
