"""`wsegpc predict`: labels of whole scenes from a finished stage two."""

import numpy as np
import pytest
import reference
import torch
from cli import refused, wsegpc
from pointcept.models.builder import MODELS, build_model
from pointcept.utils.config import Config
from stores import SCANNET20
from torch import nn

import pointcept_wsegpc.register  # noqa: F401  the data sets by name
from pointcept_wsegpc.commands.configs import find_config
from pointcept_wsegpc.contracts.label_store import LabelStore
from pointcept_wsegpc.contracts.scene import scene_dirs

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
    data = {"val": val, "names": SCANNET20.names}
    Config({"model": MODEL, "data": data}).dump(str(tmp_path / "config.py"))
    torch.manual_seed(3)
    torch.save({"state_dict": build_model(MODEL).state_dict()}, tmp_path / "model_last.pth")
    return tmp_path


def arguments(folder, out="out", weight="model_last.pth", config="config.py"):
    files = ["--config-file", folder / config, "--weight", folder / weight]
    return ["predict", *files, "--out", folder / out]


def test_labels_every_point_and_repeats(finished, prepared_root):
    assert wsegpc(*arguments(finished)).exit_code == 0
    scenes = scene_dirs(prepared_root, "val")
    first, counts = LabelStore.load(finished / "out"), 0
    first.check(SCANNET20.names, [scene.name for scene in scenes])
    for scene in scenes:
        truth = SCANNET20.clean(np.load(scene / "segment20.npy"), scene)
        label = first.read(scene.name, len(truth))["label"]
        counts = counts + reference.confusion(label, truth, len(SCANNET20))
    miou = first.manifest["quality"]["miou"]["3d"]
    assert miou == pytest.approx(reference.mean_iou(counts))
    np.random.seed(99)  # where the generators stand does not matter
    assert wsegpc(*arguments(finished, "again")).exit_code == 0
    again = LabelStore.load(finished / "again")
    for scene in scenes:
        found = [store.read(scene.name, keys=("label", "confidence")) for store in (first, again)]
        np.testing.assert_equal(*found)


def test_goes_on_and_replaces_labels_of_other_weights_on_demand(finished):
    assert wsegpc(*arguments(finished)).exit_code == 0
    kept, lost = sorted((finished / "out").glob("scene*.npz"))
    before = kept.stat().st_mtime_ns
    lost.unlink()
    assert wsegpc(*arguments(finished)).exit_code == 0
    assert lost.is_file() and kept.stat().st_mtime_ns == before
    torch.save({"state_dict": build_model(MODEL).state_dict()}, finished / "model_last.pth")
    assert "weights" in refused(*arguments(finished))
    assert wsegpc(*arguments(finished), "--replace").exit_code == 0
    assert kept.stat().st_mtime_ns != before


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


def test_a_component_that_the_engine_lacks_is_one_line(finished):
    change_config(finished, lambda config: config.model.update(type="No-Such-Model"))
    assert "No-Such-Model" in refused(*arguments(finished))
