"""`wsegpc export-labels`: the labels of a finished checkpoint, as the hook writes them."""

import logging

import numpy as np
import pytest
import small
import torch
from cli import refused, wsegpc
from pointcept.models.builder import build_model
from pointcept.utils.config import Config

from pointcept_wsegpc.files import read_json
from pointcept_wsegpc.hooks.pseudo_labels import weights_hash


@pytest.fixture
def run(finished, caplog):
    """run(*arguments): what the command logs, if it ends well."""

    def call(*more):
        caplog.clear()
        with caplog.at_level(logging.INFO):
            assert wsegpc(*arguments(finished), *more).exit_code == 0
        return caplog.text

    return call


def arguments(folder, weight="model_last.pth", config="config.py"):
    return ["export-labels", "--config-file", folder / config, "--weight", folder / weight]


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
    ("given", "settings"),
    [
        ([], {}),
        (
            ["--network", "student", "--no-tags", "--no-region-vote"],
            {"network": "student", "use_tags": False, "region_vote": False},
        ),
    ],
)
def test_the_same_as_the_hook(model, finished, run, given, settings):
    assert "3 of 3 scenes to label" in run(*given)
    check_same_store(export_by_hook(model, finished, **settings), finished / "pseudo_labels")


def test_other_labels_are_replaced_only_on_demand(finished, run):
    run()
    files = {path: path.read_bytes() for path in (finished / "pseudo_labels").rglob("*.npz")}
    line = refused(*arguments(finished), "--no-region-vote")
    assert "region_vote True, now False" in line and all(
        path.read_bytes() == files[path] for path in files
    )
    (finished / "arrays").mkdir()
    np.save(finished / "arrays/a.npy", np.arange(3))
    line = refused(*arguments(finished), "--store", finished / "arrays", "--replace")
    assert "arrays holds a.npy" in line and [p.name for p in finished.glob("arrays/*")] == ["a.npy"]
    log = run("--no-region-vote", "--replace")
    assert "removing 6 files" in log and "3 of 3 scenes to label" in log


def test_another_split_and_options(model, finished, run, prepared_root):
    store = finished / "other"
    run("--split", "val", "--store", store, "--options", "data.train.grid_size=0.3")
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
def test_every_entry_must_match(finished, change, expected):
    damage(finished, change)
    line = refused(*arguments(finished))
    assert all(part in line for part in expected)
    assert not (finished / "pseudo_labels").exists()


@pytest.mark.parametrize(
    "wrong", [{"weight": "none.pth"}, {"weight": "config.py"}, {"config": "a.py"}]
)
def test_missing_and_foreign_files(finished, wrong):
    assert str(next(iter(wrong.values()))) in refused(*arguments(finished, **wrong))


def test_a_damaged_scene_is_one_line(finished, root_copy):
    region = root_copy / "train/scene0001_00/region.npy"
    np.save(region, np.load(region)[1:])
    options = ["--options", f"data.train.data_root={root_copy}", "num_worker=1"]
    line = refused(*arguments(finished), *options)
    assert line.startswith(f"export-labels: {region} has ") and line.endswith("again for it")


def test_a_split_needs_a_store(finished):
    result = wsegpc(*arguments(finished), "--split", "val")
    assert result.exit_code == 2 and "--split needs --store" in result.stderr


def test_a_stage_two_config_is_refused(finished):
    config = Config.fromfile(str(finished / "config.py"))
    config.model = {"type": "Test-PointMLP"}
    config.dump(str(finished / "stage2.py"))
    line = refused(*arguments(finished, config="stage2.py"))
    assert "the config's model is Test-PointMLP; pass one of stage one" in line
