"""tools/export.py: the labels of a finished checkpoint, as the hook writes them."""

import logging
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small
import torch
from pointcept.models.builder import build_model
from pointcept.utils.config import Config

from pointcept_wsegpc.files import read_json
from pointcept_wsegpc.hooks.pseudo_labels import weights_hash

REPOSITORY = Path(__file__).resolve().parents[2]
TOOL = REPOSITORY / "tools/export.py"


@pytest.fixture
def run(finished, monkeypatch, caplog):
    """run(*arguments): (what the tool exits with, its log), in this process."""

    def call(*arguments, weight="model_last.pth", config="config.py"):
        arguments = ["--config-file", config, "--weight", weight, *arguments]
        monkeypatch.setattr(sys, "argv", [str(TOOL), *map(str, arguments)])
        monkeypatch.chdir(finished)
        caplog.clear()
        try:
            with caplog.at_level(logging.INFO):
                runpy.run_path(str(TOOL), run_name="__main__")
        except SystemExit as exit_:
            return exit_.code, caplog.text
        return 0, caplog.text

    return call


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(2)
    model = build_model(small.model_config())
    for parameter in model.teacher.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return model


@pytest.fixture
def finished(model, prepared_root, tmp_path):
    """A training's folder: its config and its last checkpoint, from several GPUs."""
    config = {
        "custom_imports": {"imports": ["small"], "allow_failed_imports": False},
        "model": small.model_config(),
        "data": {"train": small.dataset_config(prepared_root)},
        "save_path": str(tmp_path),
        "num_worker": 0,
    }
    # As a training has it; the export must fetch nothing, for all weights are in the checkpoint.
    config["model"]["image_encoder"]["weights"] = "imagenet"
    Config(config).dump(str(tmp_path / "config.py"))
    state = {f"module.{key}": value for key, value in model.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "model_last.pth")
    return tmp_path


def export_by_hook(model, folder, **settings):
    """What WSegPCPseudoLabelExporter leaves in folder/hook."""
    from test_hooks import attach, toy_trainer

    config = Config.fromfile(str(folder / "config.py"))
    trainer = toy_trainer(model, cfg={"save_path": config.save_path, "data": config.data})
    store = folder / "hook"
    attach(
        "WSegPCPseudoLabelExporter", trainer, num_worker=0, store=str(store), **settings
    ).export()
    return store


def check_same_store(one, other):
    names = sorted(path.name for path in one.glob("*.npz"))
    assert names == sorted(path.name for path in other.glob("*.npz")) and len(names) == 3
    for name in names:
        with np.load(one / name) as a, np.load(other / name) as b:
            assert np.array_equal(a["label"], b["label"])
            assert np.array_equal(a["confidence"], b["confidence"])
    one, other = (read_json(store / "store.json") for store in (one, other))
    assert {**one, "id": 0} == {**other, "id": 0}


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        ([], {}),
        (
            ["--network", "student", "--no-tags", "--no-vote"],
            {"network": "student", "use_tags": False, "region_vote": False},
        ),
    ],
)
def test_the_same_as_the_hook(model, finished, run, arguments, settings):
    status, log = run(*arguments)
    assert status == 0 and "3 of 3 scenes to label" in log
    check_same_store(export_by_hook(model, finished, **settings), finished / "pseudo_labels")


def test_as_a_command(finished):
    command = [sys.executable, TOOL, "--config-file", "config.py", "--weight", "model_last.pth"]
    path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    environment.pop("POINTCEPT_ROOT", None)
    result = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=finished)
    assert result.returncode == 0, result.stderr
    assert "Engine: Pointcept stand-in" in result.stderr
    assert len(read_json(finished / "pseudo_labels/store.json")["scenes"]) == 3


def test_goes_on_where_the_hook_stopped(model, finished, run):
    store = export_by_hook(model, finished)
    manifest = read_json(store / "store.json")
    (store / "scene0002_00.npz").unlink()
    assert "1 of 3 scenes to label" in run("--store", store)[1]
    assert read_json(store / "store.json") == manifest


def test_other_labels_are_replaced_only_on_demand(finished, run):
    run()
    files = {path: path.read_bytes() for path in (finished / "pseudo_labels").rglob("*.npz")}
    line, _ = run("--no-vote")
    assert line.startswith("export: ") and "region_vote True, now False" in line
    assert "\n" not in line and all(path.read_bytes() == files[path] for path in files)
    (finished / "arrays").mkdir()
    np.save(finished / "arrays/a.npy", np.arange(3))
    line, _ = run("--store", "arrays", "--replace")
    assert "arrays holds a.npy" in line and [p.name for p in finished.glob("arrays/*")] == ["a.npy"]
    status, log = run("--no-vote", "--replace")
    assert status == 0 and "removing 6 files" in log and "3 of 3 scenes to label" in log


def test_another_split_and_options(model, finished, run, prepared_root):
    status, _ = run("--split", "val", "--store", "other", "--options", "data.train.grid_size=0.3")
    assert status == 0
    manifest = read_json(finished / "other/store.json")
    assert len(manifest["scenes"]) == 2
    assert manifest["provenance"]["weights"] == weights_hash(model.teacher)
    assert {p.stem for p in (finished / "other").glob("*.npz")} == {
        scene.name for scene in (prepared_root / "val").iterdir()
    }
    assert not (finished / "pseudo_labels").exists()


def damage(folder, change):
    path = folder / "model_last.pth"
    state = torch.load(path)["state_dict"]
    change(state)
    torch.save({"state_dict": state}, path)


def drop_teacher_bias(state):
    del state["module.teacher.point_head.bias"]


def add_and_reshape(state):
    state["module.extra"] = torch.zeros(1)
    state["module.student.point_head.bias"] = torch.zeros(13)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (drop_teacher_bias, ["1 missing (teacher.point_head.bias)", "pass the config that"]),
        (add_and_reshape, ["1 unknown (extra)", "1 of another shape (student.point_head.bias)"]),
    ],
)
def test_every_entry_must_match(finished, run, change, expected):
    damage(finished, change)
    line, _ = run()
    assert line.startswith("export: ") and "\n" not in line
    assert all(part in line for part in expected)
    assert not (finished / "pseudo_labels").exists()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"weight": "none.pth"}, "none.pth is no file; pass a checkpoint"),
        ({"weight": "config.py"}, "config.py is no checkpoint of a training"),
        ({"config": "none.py"}, "none.py is no file; pass the config.py of a training"),
    ],
)
def test_missing_and_foreign_files(run, changes, expected):
    line, _ = run(**changes)
    assert line.startswith("export: ") and "\n" not in line and expected in line


@pytest.mark.parametrize("num_worker", [0, 1])
def test_a_damaged_scene_is_one_line(run, root_copy, num_worker):
    region = root_copy / "train/scene0001_00/region.npy"
    np.save(region, np.load(region)[1:])
    line, _ = run("--options", f"data.train.data_root={root_copy}", f"num_worker={num_worker}")
    assert line.startswith(f"export: {region} has ") and line.endswith("again for it")
    assert "\n" not in line


def test_a_split_needs_a_store(run, capsys):
    assert run("--split", "val")[0] == 2
    assert "--split needs --store" in capsys.readouterr().err


def test_a_stage_two_config_is_refused(finished, run):
    config = Config.fromfile(str(finished / "config.py"))
    config.model = {"type": "Test-PointMLP"}
    config.dump(str(finished / "stage2.py"))
    line, _ = run(config="stage2.py")
    assert "the config's model is Test-PointMLP; pass one of stage one" in line
