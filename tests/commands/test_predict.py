"""tools/predict.py: labels of whole scenes from a finished stage two."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from pointcept.models.builder import MODELS, build_model
from pointcept.utils.config import Config
from torch import nn

import pointcept_wsegpc.register  # noqa: F401  the data sets by name

REPOSITORY = Path(__file__).resolve().parents[2]
TOOL = REPOSITORY / "tools/predict.py"
MODEL = {"type": "DefaultSegmentor", "backbone": {"type": "Test-PointScores"}, "criteria": []}


@MODELS.register_module("Test-PointScores")
class PointScores(nn.Module):
    """Scores (N, 20) of each voxel's colour and normal alone."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 20)

    def forward(self, input_dict):
        return self.linear(input_dict["feat"])


@pytest.fixture
def finished(prepared_root, tmp_path):
    """A training's folder: its config and its last checkpoint."""
    val = Config.fromfile(str(REPOSITORY / "configs/quickstart/stage2-minkunet.py")).data.val
    val.data_root = str(prepared_root)
    Config({"model": MODEL, "data": {"val": val}}).dump(str(tmp_path / "config.py"))
    torch.manual_seed(3)
    torch.save({"state_dict": build_model(MODEL).state_dict()}, tmp_path / "model_last.pth")
    return tmp_path


@pytest.fixture
def run(finished, monkeypatch):
    """run(*arguments): what the tool exits with, in this process."""

    def call(*arguments, weight="model_last.pth", config="config.py", out="out"):
        arguments = ["--config-file", config, "--weight", weight, "--out", out, *arguments]
        monkeypatch.setattr(sys, "argv", [str(TOOL), *arguments])
        monkeypatch.chdir(finished)
        try:
            runpy.run_path(str(TOOL), run_name="__main__")
        except SystemExit as exit_:
            return exit_.code
        return 0

    return call


def labels(folder):
    return {path.stem: np.load(path)["label"] for path in folder.glob("*.npz")}


def test_labels_every_point_and_repeats(run, finished, prepared_root):
    assert run() == 0
    first = labels(finished / "out")
    points = {s.name: len(np.load(s / "coord.npy")) for s in (prepared_root / "val").iterdir()}
    assert {scene: len(label) for scene, label in first.items()} == points
    assert {label.dtype for label in first.values()} == {np.dtype(np.int16)}
    np.random.seed(99)  # where the generators stand does not matter
    assert run(out="again") == 0
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
def test_needs_the_way_back_to_points(run, finished, change):
    change_config(finished, change)
    line = run()
    assert line.startswith("predict: the transform of data.val collects no inverse")
    assert "\n" not in line and not (finished / "out").exists()


def test_every_entry_must_match(run, finished):
    state = torch.load(finished / "model_last.pth")["state_dict"]
    state["module.extra"] = state.pop("backbone.linear.bias")
    torch.save({"state_dict": state}, finished / "model_last.pth")
    line = run()
    assert line.startswith("predict: ") and "\n" not in line
    assert "1 missing (backbone.linear.bias), 1 unknown (extra)" in line


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"weight": "none.pth"}, "none.pth is no file; pass a checkpoint"),
        ({"weight": "config.py"}, "config.py is no checkpoint of a training"),
        ({"config": "none.py"}, "none.py is no file; pass the config.py of a training"),
    ],
)
def test_missing_and_foreign_files(run, changes, expected):
    line = run(**changes)
    assert line.startswith("predict: ") and "\n" not in line and expected in line


def test_a_component_that_the_engine_lacks_is_one_line(run, finished):
    change_config(finished, lambda config: config.model.update(type="No-Such-Model"))
    line = run()
    assert line.startswith("predict: 'No-Such-Model' was not registered") and "\n" not in line
