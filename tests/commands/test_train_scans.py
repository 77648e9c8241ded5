"""Own scans through both stages: classes of their own, no point label anywhere."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cli import refused, wsegpc
from plyfile import PlyData
from pointcept.datasets import build_dataset
from pointcept.engines.defaults import default_config_parser
from pointcept.engines.hooks import build_hooks
from pointcept.models.builder import build_model
from stores import write_store

from pointcept_wsegpc.captures.folder.scene import FolderSettings
from pointcept_wsegpc.captures.folder.template import write_template
from pointcept_wsegpc.captures.preparing import find_captures, prepare
from pointcept_wsegpc.commands.arguments import INTERRUPTED
from pointcept_wsegpc.commands.configs import configs_folder
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.scene import read_points
from pointcept_wsegpc.contracts.tags import write_scene_tags
from pointcept_wsegpc.files import read_json
from pointcept_wsegpc.jobs.steps import exclusive
from pointcept_wsegpc.regions.scenes.extract import extract_regions
from pointcept_wsegpc.regions.scenes.settings import RegionSettings

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGS = ("wsegpc-cmg", "wsegpc-cmg-rpc", "stage2-minkunet18c")
NAMES = ["floor", "lamp", "wall", "box"]
SLIM = [
    "model.image_encoder.name=resnet18", "model.image_encoder.weights=none",
    "model.backbone.planes=(8,8,8,8,8,8,8,8)", "model.backbone.layers=(1,1,1,1,1,1,1,1)",
    "epoch=2", "eval_epoch=1", "batch_size=2", "num_worker=1", "data.train.num_views=2",
]  # fmt: skip


@pytest.fixture(scope="module")
def own_root(tmp_path_factory):
    """The template's scene, prepared with regions, and a table of four classes."""
    folder = tmp_path_factory.mktemp("own")
    write_template(folder / "raw")
    root = folder / "prepared"
    (capture,) = find_captures("scans", folder / "raw", root)
    prepare(capture, FolderSettings(height=36, width=48, spacing=0.08))
    points = {"min_size": 30, "max_distance": 0.1}
    regions = RegionSettings.resolve(points=points, views={"min_size": 20})
    extract_regions(capture.target, regions)
    write_scene_tags(root / "scene_tags.json", {"kitchen": ["floor", "wall", "box"]})
    ClassTable(NAMES).write(root)
    return root


@pytest.fixture
def load(own_root, tmp_path, monkeypatch):
    monkeypatch.setenv("WSEGPC_DATA_ROOT", str(own_root))
    return lambda name, **options: default_config_parser(
        str(configs_folder() / f"scans/{name}.py"), {"save_path": str(tmp_path), **options}
    )


@pytest.mark.parametrize("name", CONFIGS)
def test_configs_take_the_classes_of_the_data(name, load):
    cfg = load(name)
    assert cfg.data["names"] == NAMES and cfg.data.num_classes == 4
    assert cfg.evaluate is False and cfg.enable_wandb is False
    assert cfg.epoch % cfg.eval_epoch == 0 and cfg.data.train.loop >= 4
    stage_two = name.startswith("stage2")
    # One scene, whose passes are a batch each: about 8000 iterations, half of it for RPC.
    iterations = cfg.epoch / cfg.batch_size
    assert iterations == pytest.approx(4000 if name.endswith("rpc") else 8000)
    cfg.model.get("image_encoder", {})["weights"] = "none"
    # Nobody has tried the authors' details on own scans.
    head = cfg.model.backbone.classifier_init if stage_two else cfg.model.point_head_init
    assert head == "uniform"
    if stage_two:
        assert not cfg.data.train.structure_removal
    else:
        assert cfg.data.train.grid_shift == 0 and cfg.model.cam_warmup_iters == 1
        assert cfg.data.train.structure_removal == {"ground": 0.5, "wall": 0.5, "ceiling": 0.5}
        assert cfg.model.num_classes == 4
    assert any(p.requires_grad for p in build_model(cfg.model).parameters())
    assert build_hooks(cfg.hooks)
    for part in ("train", "val", "test"):
        assert cfg.data.get(part, {}).get("type") != "ScanNetDataset"


def test_stage_one_has_samples_without_any_label(load):
    dataset = build_dataset(load("wsegpc-cmg").data.train)
    sample = dataset[0]
    assert sample["point_tags"].shape == (1, 4) and sample["point_tags"][0, 1] == 0
    assert len(sample["view_size"]) == 6 and len(sample["link_view"]) > 100
    assert "segment" not in sample
    evaluated = build_dataset({**load("wsegpc-cmg").data.train, "mode": "eval"})[0]
    assert "segment" not in evaluated and len(evaluated["inverse"]) > 1000


def test_stage_two_has_samples_of_pseudo_labels(load, own_root, tmp_path):
    points = len(read_points(own_root / "train/kitchen")["coord"])
    write_store(tmp_path / "store", {"kitchen": np.arange(points) % 4}, NAMES)
    data = load("stage2-minkunet18c").data
    sample = build_dataset({**data.train, "store": str(tmp_path / "store")})[0]
    assert set(sample["segment"].tolist()) == {0, 1, 2, 3}
    sample = build_dataset({**data.val, "split": "train"})[0]
    assert len(sample["inverse"]) == points and set(sample["segment"].tolist()) == {-1}


def test_configs_without_data_say_what_is_missing(load, monkeypatch, tmp_path):
    monkeypatch.setenv("WSEGPC_DATA_ROOT", str(tmp_path))
    for name in CONFIGS:
        with pytest.raises(FileNotFoundError, match=r"classes\.json is missing; `wsegpc upgrade"):
            load(name)


def test_sigterm_ends_what_train_scans_runs(own_root, tmp_path):
    """A scheduler's way to end a job: nothing lives on, so that the next job finds the lock."""
    command = [sys.executable, "-m", "pointcept_wsegpc", "train-scans", str(own_root)]
    job = subprocess.Popen(
        [*command, "--out", str(tmp_path), "--workers", "1"], stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    while not (tmp_path / "regions.log").exists():  # the child of the first step is running
        assert job.poll() is None
        time.sleep(0.01)
    job.send_signal(signal.SIGTERM)
    assert "interrupted; the same command goes on" in job.communicate(timeout=60)[1]
    assert job.returncode == INTERRUPTED
    with exclusive(tmp_path / ".lock", patience=0):
        pass


@pytest.mark.slow
def test_two_commands_from_prepared_scans_to_labeled_clouds(own_root, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    out = tmp_path / "exp"
    train = ["train-scans", own_root, "--out", out, "--workers", 1, "--options", *SLIM]
    assert wsegpc(*train).exit_code == 0
    store = out / "wsegpc-cmg-rpc/pseudo_labels"
    manifest = read_json(store / "store.json")
    assert manifest["names"] == NAMES and manifest["coverage"] == 1
    before = (out / "wsegpc-cmg-rpc/model/model_last.pth").stat().st_mtime_ns
    assert wsegpc(*train).exit_code == 0
    assert (out / "wsegpc-cmg-rpc/model/model_last.pth").stat().st_mtime_ns == before
    ply = ["export-ply", own_root, "--store", store, "--out", tmp_path / "ply"]
    assert wsegpc(*ply).exit_code == 0
    ply = PlyData.read(str(tmp_path / "ply/kitchen.ply"))
    scanned = PlyData.read(str(own_root.parent / "raw/kitchen/points.ply"))["vertex"]
    assert np.array_equal(ply["vertex"]["x"], scanned["x"])
    assert set(ply["vertex"]["label"]) <= {0, 2, 3}  # the tags of the scene; "lamp" is none
    assert "rename the folder" in refused("train-scans", own_root, "--out", tmp_path / "a b")
