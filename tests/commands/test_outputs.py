"""Folders that commands write to: what somebody else put there survives, byte for byte."""

import shutil

import numpy as np
import pytest
import torch
from cli import wsegpc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pointcept.models.builder import build_model
from pointcept.utils.config import Config
from small import dataset_config, model_config
from stores import SCANNET20, write_store

from pointcept_wsegpc.captures.folder.template import write_template
from pointcept_wsegpc.commands import COMMANDS, quickstart, train_scans
from pointcept_wsegpc.commands.configs import find_config
from pointcept_wsegpc.commands.output import claim, remove_training
from pointcept_wsegpc.contracts.scene import read_points, scene_dirs
from pointcept_wsegpc.jobs.process import StepFailed

SCENES = ["scene0000_00", "scene0001_00", "scene0002_00"]
# Names that commands write in their output folders, and some that they do not.
NAMES = [
    *(f"{scene}{end}" for scene in SCENES for end in (".npz", ".ply", "")),
    "report.txt", "report.json", "report.png", "train-scene0000_00.png", "store.json", "metrics",
    "config.py", "train.log", "model", "wsegpc-cmg", "steps.json", "regions.log", "scans", "train",
    "synthetic.json", "scannetv2_train.txt", "classes.json", "scene_tags.json", "kitchen",
    "notes.txt", "a b", "d/e.npy", "wsegpc-cmg/mine.pth", "train/scene0000_00/coord.npy",
    "scans/scene0000_00/mine.sens",
]  # fmt: skip


def commands(inputs, out):
    """{command: its arguments}, with what the fixture `inputs` has and the output folder."""
    root, one, two = inputs["root"], inputs["stage1"], inputs["stage2"]
    files = f"folder={inputs['arrays']}", "names=['wall', 'sky']"
    sizes = "--points", 500, "--frames", 4, "--color-size", "16x12", "--depth-size", "16x12"
    return {
        "check": [root, "--figures", 3, "--out", out],
        "regions": [root, "--report-only", "--report", out],
        "export-ply": [root, "--store", inputs["store"], "--out", out],
        "export-labels": ["-c", one / "config.py", "--weight", one / "w.pth", "--store", out,
                          "--replace"],
        "predict": ["-c", two / "config.py", "--weight", two / "w.pth", "--split", "train",
                    "--out", out, "--replace"],
        "import-labels": [root, "--raw", inputs["arrays"], "--store", out],
        "prior": [root, "--predictor", "files", "--set", *files, "--store", out],
        "synthesize": ["--num-train", 1, "--num-val", 0, *sizes, "--workers", 1, "--out", out],
        "prepare": ["scans", "--raw", inputs["raw"], "--size", "48x36", "--spacing", 0.1,
                    "--out", out],
        "train": ["-c", "quickstart/wsegpc-cam", "--options", f"save_path={out}", "epoch=0"],
        "train-scans": [root, "--out", out],
        "quickstart": ["--out", out],
    }  # fmt: skip


@pytest.fixture(scope="module")
def inputs(prepared_root, tmp_path_factory):
    """What the commands read: a data root, a label store, two trained networks, raw scans."""
    folder = tmp_path_factory.mktemp("inputs")
    paths = {name: folder / name for name in ("store", "arrays", "stage1", "stage2", "raw")}
    labels = {s.name: np.load(s / "segment20.npy") for s in scene_dirs(prepared_root, "train")}
    write_store(paths["store"], labels)
    for path in (paths["arrays"], paths["stage1"], paths["stage2"]):
        path.mkdir()
    for scene, label in labels.items():
        np.savez(paths["arrays"] / f"{scene}.npz", pred_label=np.where(label < 0, 255, label))
    one = {"model": model_config(), "data": {"train": dataset_config(prepared_root)},
           "save_path": str(folder), "num_worker": 0,
           "custom_imports": {"imports": ["small"], "allow_failed_imports": False}}  # fmt: skip
    val = Config.fromfile(str(find_config("quickstart/stage2-minkunet"))).data.val
    val.data_root = str(prepared_root)
    backbone = {"type": "Test-Outputs"}
    two = {"model": {"type": "DefaultSegmentor", "backbone": backbone, "criteria": []},
           "data": {"val": val, "names": SCANNET20.names}}  # fmt: skip
    for path, config in ((paths["stage1"], one), (paths["stage2"], two)):
        Config(config).dump(str(path / "config.py"))
        torch.save({"state_dict": build_model(config["model"]).state_dict()}, path / "w.pth")
    write_template(paths["raw"])
    return {**paths, "root": prepared_root}


def _register():
    from pointcept.models.builder import MODELS
    from torch import nn

    class Scores(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(6, 20)

        def forward(self, input_dict):
            return self.linear(input_dict["feat"])

    MODELS.register_module("Test-Outputs", module=Scores)


_register()


@pytest.fixture(scope="module", autouse=True)
def _no_children():
    """Commands that run others are tested up to the first of these."""

    def fail(*_, **__):
        raise StepFailed("no child processes here")

    with pytest.MonkeyPatch.context() as patch:
        for module in (quickstart, train_scans):
            patch.setattr(module, "run", fail)
        yield


# What each command writes by these names; a random list might miss one.
OWN = {
    "check": ["report.txt", "train-scene0000_00.png"],
    "regions": ["report.json"],
    "export-ply": ["scene0002_00.ply"],
    "export-labels": ["scene0001_00.npz", "store.json"],
    "predict": ["scene0000_00.npz"],
    "import-labels": ["metrics/scene0000_00.npz"],
    "prior": ["store.json"],
    "synthesize": ["scannetv2_train.txt"],
    "prepare": ["classes.json", "scene_tags.json", "train/kitchen/coord.npy"],
    "train": ["config.py", "model/model_last.pth"],
    "train-scans": ["wsegpc-cmg/config.py", "regions.log", "steps.json"],
    "quickstart": ["method/wsegpc-cmg/config.py"],
}


def test_every_command_with_an_output_folder_is_here():
    """The others write a file that is named, or what another one of these guards."""
    others = {"info", "link", "sweep-regions", "convert-checkpoint", "upgrade", "synthrooms"}
    assert COMMANDS.keys() == OWN.keys() | others


def fill(folder, names):
    """Write files of these names, folders where one needs them; {path: bytes}."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number, name in enumerate(names):
        path = folder / name
        if any(parent.is_file() for parent in path.parents) or path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine %d" % number)
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def check_survival(name, names, inputs, out):
    mine = fill(out, names)
    wsegpc(name, *commands(inputs, out)[name])
    assert {path: path.read_bytes() for path in mine} == mine


@pytest.mark.parametrize("name", OWN)
@settings(
    max_examples=1, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(names=st.lists(st.sampled_from(NAMES), min_size=2, max_size=6, unique=True))
def test_foreign_files_survive(name, names, inputs, tmp_path):
    check_survival(name, names, inputs, tmp_path / "out")


@pytest.mark.parametrize(("name", "file"), [(name, file) for name in OWN for file in OWN[name]])
def test_foreign_files_of_its_own_names_survive(name, file, inputs, tmp_path):
    check_survival(name, [file], inputs, tmp_path / "out")


def test_what_was_claimed_may_be_written_again(tmp_path):
    claim(tmp_path, "check", ["report.txt"])
    (tmp_path / "report.txt").write_text("ours")
    claim(tmp_path, "check", ["report.txt", "a.png"])
    (tmp_path / "b.png").write_text("theirs")
    with pytest.raises(FileExistsError, match=r"b\.png"):
        claim(tmp_path, "check", ["c.png", "b.png"])
    (tmp_path / "c.png").write_text("theirs: the refused claim noted nothing")
    with pytest.raises(FileExistsError, match=r"c\.png"):
        claim(tmp_path, "check", ["c.png"])


def test_a_training_that_starts_over_leaves_what_it_did_not_write(tmp_path, inputs):
    for name in ("config.py", "train.log", "model/model_last.pth", "notes.txt", "model/mine.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    points = len(read_points(inputs["root"] / "train" / SCENES[0])["coord"])
    write_store(tmp_path / "pseudo_labels", {SCENES[0]: np.zeros(points, int)})
    remove_training(tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"notes.txt", "model/mine.txt"}
