"""`wsegpc upgrade`: old stores, data roots, checkpoints and configs; no old name is left."""

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cli import refused, wsegpc

from pointcept_wsegpc import renames
from pointcept_wsegpc.captures.base import Capture
from pointcept_wsegpc.captures.converted.scene import ConvertSettings
from pointcept_wsegpc.commands import old_names
from pointcept_wsegpc.commands.configs import configs_folder
from pointcept_wsegpc.commands.upgrade_config import upgrade_config
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.label_store import LabelStore
from pointcept_wsegpc.contracts.prepared import is_prepared

REPOSITORY = Path(__file__).resolve().parents[2]


def contents(folder):
    """{path: bytes} of all files below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---------------------------------------------------------------------------------- stores


@pytest.fixture
def old_store(tmp_path):
    """A store as the release before label_store.py wrote it: two scenes of three classes."""
    folder = tmp_path / "pseudo_labels"
    (folder / "measures").mkdir(parents=True)
    run = {"weights": "0123", "network": "teacher", "use_tags": True, "region_vote": True}
    (folder / "run.json").write_text(json.dumps(run))
    counts = np.eye(4, dtype=np.int64)
    for scene, label in {"a": [0, 1, -1], "b": [2, 2]}.items():
        confidence = np.full(len(label), 0.5, np.float16)
        np.savez(folder / f"{scene}.npz", label=np.array(label, np.int16), confidence=confidence)
        measures = {"3D": counts, "3D per point": 2 * counts, "2D": 3 * counts}
        np.savez(folder / f"measures/{scene}.npz", **measures)
    miou = {"3D": 0.5, "3D per point": 0.25, "2D": 0.125}
    manifest = {"config": "c.py", "names": list("xyz"), "scenes": 2, "points": 5, "coverage": 0.8}
    iou = {name: dict.fromkeys("xyz", value) for name, value in miou.items()}
    (folder / "manifest.json").write_text(json.dumps(run | manifest | {"miou": miou, "iou": iou}))
    return folder


def test_a_store_is_written_anew_beside_the_old_one(old_store):
    before = contents(old_store)
    assert wsegpc("upgrade", old_store).exit_code == 0
    store = LabelStore.load(old_store.with_name("pseudo_labels.upgraded"))
    store.check("xyz", ["a", "b"])
    assert store.read("a")["label"].tolist() == [0, 1, -1]
    assert store.read("b", keys=["confidence"])["confidence"].tolist() == [0.5, 0.5]
    assert store.metrics("a")["3d_no_vote"].tolist() == (2 * np.eye(4)).tolist()
    quality = store.manifest["quality"]
    assert quality["miou"] == {"3d": 0.5, "3d_no_vote": 0.25, "2d": 0.125}
    assert quality["iou"]["2d"] == {"x": 0.125, "y": 0.125, "z": 0.125}
    assert store.manifest["provenance"]["weights"] == "0123"
    assert store.manifest["coverage"] == 0.8
    assert contents(old_store) == before


def test_a_store_that_cannot_be_upgraded_is_left_alone(old_store, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/a.npz").write_bytes(b"mine")
    before = contents(tmp_path)
    assert "taken" in refused("upgrade", old_store, "--out", tmp_path / "taken")
    assert contents(tmp_path) == before
    (old_store / "b.npz").unlink()
    assert "export them again" in refused("upgrade", old_store)
    (old_store / "manifest.json").unlink()
    assert "never finished" in refused("upgrade", old_store)


# ------------------------------------------------------------------------------ data roots


@pytest.fixture
def old_root(tmp_path):
    scene = tmp_path / "root/train/a"
    scene.mkdir(parents=True)
    np.save(scene / "coord.npy", np.zeros((2, 3), np.float32))
    np.save(scene / "segment20.npy", np.array([0, 1]))
    cameras = {"intrinsic": np.zeros((3, 3, 3)), "world_to_camera": np.zeros((3, 4, 4))}
    np.savez(scene / "views.npz", frame=np.arange(3), size=np.array([36, 48]), **cameras)
    settings = {"height": 36, "width": 48, "min_tag_points": 1, "every": 2}
    manifest = {"settings": settings | {"regions": True, "depth_scale": 1000.0}, "num_points": 2}
    (scene / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "root/scene_tags.json").write_text('{"a": ["wall", "floor"]}')
    return tmp_path / "root"


def test_a_data_root_is_complete_and_prepared_with_the_same_settings(old_root):
    capture = Capture("a", "train", old_root)
    settings = ConvertSettings(height=36, width=48, stride=2)
    with pytest.raises(ValueError, match=r"every.*stride.*wsegpc upgrade"):
        is_prepared(capture, settings)
    before = contents(old_root)
    assert wsegpc("upgrade", old_root).exit_code == 0
    assert ClassTable.read(old_root) == ClassTable.shipped("scannet20")
    with np.load(old_root / "train/a/views.npz") as views:
        assert views["size"].tolist() == [[36, 48]] * 3
    assert is_prepared(capture, settings)
    assert not is_prepared(capture, replace(settings, stride=3))
    scene = old_root / "train/a"
    changed = {old_root / "classes.json", scene / "views.npz", scene / "manifest.json"}
    assert {
        path for path, data in contents(old_root).items() if before.get(path) != data
    } == changed
    after = contents(old_root)
    assert wsegpc("upgrade", old_root).exit_code == 0 and contents(old_root) == after


def test_a_data_root_of_other_classes_says_which(old_root):
    (old_root / "scene_tags.json").write_text('{"a": ["gadget"]}')
    before = contents(old_root)
    assert "--classes" in refused("upgrade", old_root) and contents(old_root) == before
    assert wsegpc("upgrade", old_root, "--classes", "gadget,gizmo").exit_code == 0
    assert ClassTable.read(old_root).names == ("gadget", "gizmo")


# --------------------------------------------------------------------- checkpoints, configs


def test_a_checkpoint(tmp_path):
    old, mine = tmp_path / "model_last.pth", tmp_path / "mine.pth"
    (was, now), *_ = renames.STATE_KEYS.items()
    state = {f"{was}.weight": torch.ones(1), "a": torch.ones(1)}
    torch.save({"state_dict": state, "epoch": 3}, old)
    torch.save({"state_dict": {"mine": torch.ones(1)}}, mine)
    before = contents(tmp_path)
    for _ in range(2):
        assert wsegpc("upgrade", old).exit_code == 0
        saved = torch.load(tmp_path / "model_last.upgraded.pth")
        assert saved["state_dict"].keys() == {f"{now}.weight", "a"} and saved["epoch"] == 3
    assert "mine.pth" in refused("upgrade", old, "--out", mine)
    assert before.items() < contents(tmp_path).items()


OLD_CONFIG = """\
_base_ = ["../_base_/plugin.py", "../synthetic/wsegpc-full.py"]  # für später
from pointcept_wsegpc.labels import S3DIS_NAMES
threshold = 3  # nobody's key
model = dict(
    type="WSegPC",
    guidance_weight=0.5,  # both
    threshold=0.9,
    image_encoder=dict(name="threshold", stages=2),
    backbone={"type": "WSegPC-MinkUNet", "stem_kernel": 5},
)
scenes = dict(type="WSegPCS3DISDataset")
data = dict(
    train=dict(mix3d=0.5, structures={"floor": ("floor", 0.5), "wall": ("wall", 0.25)}),
    val=dict(structures=dict(_delete_=True, ceiling=("ceiling", 1 / 2))),
    test=dict(structures=dict()),
)
hooks = [
    dict(type="PseudoLabelExporter", every=5),
    {"type": "PseudoLabelExporter",
     "dataset": {"type": "WSegPCScanNetDataset", "labels": True}},
    dict(type="CheckpointSaver", every=3),
]
"""
NEW_CONFIG = """\
_base_ = ["../_base_/plugin.py", "../quickstart/supervised.py"]  # für später
from pointcept_wsegpc.contracts.classes import ClassTable
S3DIS_NAMES = ClassTable.shipped("s3dis").names
del ClassTable
threshold = 3  # nobody's key
model = dict(
    type="WSegPC",
    guidance_3d_weight=0.5, guidance_2d_weight=0.5,  # both
    rpc_threshold=0.9,
    image_encoder=dict(name="threshold", num_stages=2),
    backbone={"type": "WSegPCMinkUNet", "stem_kernel_size": 5},
)
scenes = dict(type="WSegPCMultiViewDataset", depth_tolerance=0.05)
data = dict(
    train=dict(mix3d_prob=0.5, structure_removal={"ground": 0.5, "wall": 0.25}),
    val=dict(structure_removal=dict(_delete_=True, ceiling=1 / 2)),
    test=dict(structure_removal=dict()),
)
hooks = [
    dict(type="WSegPCPseudoLabelExporter", every_epochs=5),
    {"type": "WSegPCPseudoLabelExporter",
     "dataset": {"type": "WSegPCMultiViewDataset", "with_labels": True}},
    dict(type="CheckpointSaver", every=3),
]
"""


def test_a_config_is_rewritten_and_its_old_text_kept(tmp_path):
    path, kept = tmp_path / "mine.py", tmp_path / "mine.py.orig"
    for _ in range(2):  # the second time as if killed before it was rewritten
        path.write_text(OLD_CONFIG, encoding="utf-8")
        assert wsegpc("upgrade", path).exit_code == 0
        assert path.read_text("utf-8") == NEW_CONFIG and kept.read_text("utf-8") == OLD_CONFIG
    assert "nothing to rename" in wsegpc("upgrade", path).stdout
    path.write_text(OLD_CONFIG.replace("0.9", "0.8"), encoding="utf-8")
    assert "mine.py.orig" in refused("upgrade", path) and kept.read_text("utf-8") == OLD_CONFIG


def test_what_has_no_new_key_is_left_for_a_hand(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "kind = f()\n"
        "data = dict(train=dict(segment_key='x', structures=kind))\n"
        "data['train']['mix3d'] = 0.5\n"
        "common = dict(num_pairs=9)\n"
        "saver = dict(type='CheckpointSaver', every=3)\n"
    )
    result = wsegpc("upgrade", path)
    assert result.exit_code == 1
    by_hand = re.findall(r"by hand: line (\d): (\w+)", result.stdout)
    assert by_hand == [
        ("2", "segment_key"),
        ("2", "structures"),
        ("3", "mix3d"),
        ("4", "num_pairs"),
    ]
    assert not path.with_name("mine.py.orig").exists()


def test_a_base_that_is_there_keeps_its_name(tmp_path):
    (tmp_path / "synthetic").mkdir()
    (tmp_path / "synthetic/wsegpc-cam.py").write_text("")
    text = '_base_ = ["./synthetic/wsegpc-cam.py", "./synthetic/wsegpc-full.py"]'
    assert upgrade_config(text, tmp_path).text == text.replace(
        "synthetic/wsegpc-full", "quickstart/supervised"
    )


def test_what_is_nothing_of_ours(tmp_path):
    assert str(tmp_path) in refused("upgrade", tmp_path)


# ------------------------------------------------------------------------------- old names


def test_the_page_has_every_old_name():
    page = (REPOSITORY / "docs/upgrade.md").read_text(encoding="utf-8")
    assert old_names.page().strip() in page, "paste what `wsegpc upgrade --list` prints"


@pytest.mark.parametrize("path", sorted(configs_folder().rglob("*.py")), ids=lambda p: p.stem)
def test_our_configs_have_no_old_key(path):
    done = upgrade_config(path.read_text(encoding="utf-8"))
    assert (done.renamed, done.by_hand) == ([], [])


# Names that mean something else as well: `test_our_configs_have_no_old_key` looks for these.
WORDS = {"labels", "structures", "mix3d", "image_mean", "image_std", "temperature", "threshold",
         "adaptive", "inference", "stages", "every", "tags", "points", "folder", "synthetic",
         "floor", "poses", "read_class_names", "2D", "3D"}  # fmt: skip
TOLD = (
    *("docs/upgrade.md", "docs/results/", "pointcept_wsegpc/renames.py", "tests/test_renames.py"),
    *(
        "pointcept_wsegpc/commands/old_names.py",
        "pointcept_wsegpc/commands/upgrade",
        "tests/commands/test_upgrade.py",
    ),
    "tests/models/test_checkpoint.py",
)


def old_words():
    keys = [name for table in old_names.TABLES.values() for name in table]
    names = {key for key in keys if re.fullmatch(r"[\w-]+", key)} - WORDS
    options = {word for key in old_names.OPTIONS for word in re.findall(r"--[a-z-]+", key)}
    kept = {"--root", "--data", "--points", "--every", "--size", "--max-views", "--out", "--train",
            "--val", "--names", "--poses", "--tolerance"}  # fmt: skip
    tools = {key.split()[0] for key in old_names.TOOLS if key.startswith("tools/")}
    doors = {"tools/train.py", "tools/predict.py", "tools/export_ply.py", "tools/quickstart.py",
             "tools/sweep_regions.py"}  # fmt: skip
    logged = {f"{name}_{of}" for name in ("kept", "confidence") for of in ("2d", "3d")}
    logged |= {"mIoU_tags", "pseudo_label/3D", "pseudo_label/2D", "3D_per_point"}
    said = {"lower reference", "upper reference", "so-manieth", "found out", "is fetched", "booked"}
    return names | (options - kept) | (tools - doors) | logged | said


def test_no_old_name_is_left():
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a checkout")
    pattern = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, sorted(old_words())))})(?![\w-])")
    found = []
    for name in listed.stdout.split("\n"):
        path = REPOSITORY / name
        if path.suffix not in (".py", ".md", ".sh", ".cfg") or name.startswith(TOLD):
            continue
        if path.is_file():
            lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
            found += [f"{name}:{i}: {m[1]}" for i, line in lines for m in pattern.finditer(line)]
    assert found == []
