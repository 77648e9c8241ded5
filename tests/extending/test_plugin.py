"""Somebody else's data set, partition, predictor, loss, encoder and backbone, outside the package.

plugin/ is what a user writes. It goes through the whole path with a wheel that is installed
read-only, in a folder of its own. N points.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli import wsegpc

from pointcept_wsegpc.commands import regions
from pointcept_wsegpc.contracts.classes import IGNORE, ClassTable
from pointcept_wsegpc.contracts.label_store import LabelStore
from pointcept_wsegpc.contracts.scene import read_points, scene_dirs
from pointcept_wsegpc.contracts.tags import read_scene_tags
from pointcept_wsegpc.contracts.views import read_view_image, read_views
from pointcept_wsegpc.regions import PARTITIONS
from pointcept_wsegpc.regions.scenes.settings import of_scene

PLUGIN = Path(__file__).parent / "plugin"
REPOSITORY = Path(__file__).resolve().parents[2]
SHIFT = 17  # id of a class of the toy data set, less that of ScanNet's 20
NO_LABEL = 255
COLORS = np.random.default_rng(0).integers(0, 256, (37, 3))  # of the classes, as images show them


def raw_scene(scene, path):
    """Write a prepared scene of ScanNet's classes as a raw one of the toy data set: labels (N,)."""
    points, views = read_points(scene, ("coord", "segment20")), read_views(scene)
    depth, shown = (
        np.array([read_view_image(scene, frame, kind) for frame in views.frame.tolist()])
        for kind in ("depth", "label")
    )
    image = np.where(shown[..., None] >= 0, COLORS[shown + SHIFT], 0)
    label = points["segment20"].astype(np.int64)
    label = np.where((label >= 0) & (label < 20), label + SHIFT, NO_LABEL)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        coord=points["coord"],
        label=label,
        image=image.astype(np.uint8),
        depth=depth,
        camera_to_world=np.linalg.inv(views.world_to_camera),
        intrinsic=views.intrinsic[0],
    )
    return np.where(label == NO_LABEL, IGNORE, label)


@pytest.fixture
def run(tmp_path, wheel_site, wheel_environment):
    """Function: a command of the installed wheel in the user's folder; what it says."""
    site, folder = tmp_path / "plugin", tmp_path / "work"
    shutil.copytree(PLUGIN / "toy_plugin", site / "toy_plugin")
    shutil.copytree(PLUGIN / "configs", folder / "configs/toy")
    (folder / "configs/wsegpc").symlink_to(wheel_site / "pointcept_wsegpc/configs")
    commands = wheel_environment(site, WSEGPC_PLUGINS="toy_plugin", OMP_NUM_THREADS="1")
    configs = {k: v for k, v in commands.items() if k != "WSEGPC_PLUGINS"}

    def run(name, *words):
        words = [sys.executable, "-m", "pointcept_wsegpc", name, *map(str, words)]
        # A config names the modules that it needs.
        env = configs if "-c" in words else commands
        result = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
        return result.stdout

    return run


def test_scenes_in_folders_have_one_name_in_every_command(tmp_path):
    ClassTable(["floor"], label_file="semantic").write(tmp_path)
    names = ["train/08/000123", "train/09/000123"]
    for name in names:
        (tmp_path / name).mkdir(parents=True)
        np.save(tmp_path / name / "coord.npy", np.zeros((5, 3), np.float32))
        np.save(tmp_path / name / "semantic.npy", np.full(5, int(name[7])))
    (tmp_path / "train/unprepared").mkdir()
    scenes, others = regions.scenes_and_others(tmp_path, ())
    assert list(scenes) == names
    assert others == ["train/unprepared"]
    partition = PARTITIONS.get("file").resolve(given={"path": "/x/{split}/{scene}.npy"})
    paths = [of_scene(partition, scene).settings.path for scene in scenes.values()]
    assert paths == [f"/x/{name}.npy" for name in names]
    store = LabelStore(tmp_path / "store", ["floor"], {}).open(["08/000123", "09/000123"])
    for key in ("08/000123", "09/000123"):
        store.write(key, np.zeros(5), np.ones(5))
    store.finish()
    out = tmp_path / "ply"
    assert wsegpc("export-ply", tmp_path, "--store", store.path, "--out", out).exit_code == 0
    assert sorted(path.parent.name for path in out.glob("*/000123.ply")) == ["08", "09"]


@pytest.mark.slow
def test_a_users_plugin_from_raw_data_to_stage_two(prepared_root, tmp_path, run):
    work, root = tmp_path / "work", tmp_path / "work/data/toy"
    drives = {"train": ("08", "09", "10"), "val": ("11",)}
    scenes = [
        (scene, f"{split}/{drive}/000123")
        for split, names in drives.items()
        for scene, drive in zip(scene_dirs(prepared_root, split), names, strict=False)
    ]
    truth = {name: raw_scene(scene, tmp_path / f"raw/{name}.npz") for scene, name in scenes}
    run("prepare", "toy", "--raw", tmp_path / "raw", "--out", root, "--size", "48x36")
    table = ClassTable.read(root)
    assert len(table) == 37
    tags = read_scene_tags(root / "scene_tags.json", table)
    for name, label in truth.items():
        scene = root / name
        stored = table.clean(np.load(scene / "semantic.npy"), scene)
        np.testing.assert_array_equal(stored, label)
        assert not (scene / "color.npy").exists()
        if name.startswith("train/"):
            seen = np.unique(label[label != IGNORE])
            assert [table.index(tag) for tag in tags[name.removeprefix("train/")]] == seen.tolist()

    run("regions", root, "--method", "cubes", "--set", "size=0.7", "--workers", 2, "--report")
    region = np.load(root / "train/08/000123/region.npy")
    coord = np.load(root / "train/08/000123/coord.npy")
    cubes = np.unique(np.floor(coord / 0.7), axis=0)
    assert region.max() + 1 == len(cubes) and region.min() == 0
    assert (root / "regions-report/report.png").is_file()
    run("check", root, "--figures", 1)

    palette = dict(zip(table.names, COLORS.tolist(), strict=True))
    (work / "palette.json").write_text(json.dumps(palette))
    settings = "--predictor", "palette", "--set", "path=palette.json"
    run("prior", root, *settings, "--store", "exp/prior", "--workers", 2)
    keys = [name.removeprefix("train/") for name in truth if name.startswith("train/")]
    prior = LabelStore.load(work / "exp/prior")
    assert sorted(prior.manifest["scenes"]) == keys
    for key in keys:
        label = truth[f"train/{key}"]
        lifted = prior.read(key, len(label))["label"]
        known = (lifted != IGNORE) & (label != IGNORE)
        assert known.mean() > 0.3 and (lifted == label)[known].mean() > 0.5
        assert {table.names[i] for i in np.unique(lifted[lifted >= 0])} <= set(tags[key])

    run("train", "-c", "configs/toy/stage1.py", "--options", "save_path=exp/stage1")
    one = "exp/stage1/config.py", "--weight", "exp/stage1/model/model_last.pth"
    run("export-labels", "-c", *one, "--store", "exp/student", "--network", "student")
    for store in ("exp/stage1/pseudo_labels", "exp/student"):
        LabelStore.load(work / store).check(table.names, keys)
    run("export-ply", root, "--store", "exp/student", "--out", "exp/ply")
    assert (work / "exp/ply/08/000123.ply").is_file()

    run("train", "-c", "configs/toy/stage2.py", "--options", "save_path=exp/stage2")
    two = "exp/stage2/config.py", "--weight", "exp/stage2/model/model_last.pth"
    run("predict", "-c", *two, "--split", "val", "--out", "exp/predictions")
    predicted = LabelStore.load(work / "exp/predictions")
    predicted.check(table.names, ["11/000123"])
    predicted.read("11/000123", num_points=len(truth["val/11/000123"]))


def test_the_page_shows_these_files_and_each_is_short():
    page = (REPOSITORY / "docs/extending.md").read_text(encoding="utf-8")
    shown = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    files = {path: path.read_text(encoding="utf-8") for path in PLUGIN.rglob("*.py")}
    for block in shown:
        assert any(block.strip() in text for text in files.values()), block
    for path, text in files.items():
        assert any(block.strip() in text for block in shown), path
        assert len(text.splitlines()) < 40, path
