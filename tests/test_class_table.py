"""A data set of 37 classes with its own label file goes wherever ScanNet's goes."""

import numpy as np
import pytest
from PIL import Image
from pointcept.datasets import build_dataset
from small import dataset_config

from pointcept_wsegpc.checks.root import check_tags
from pointcept_wsegpc.checks.scene import Settings as CheckSettings
from pointcept_wsegpc.checks.scene import check_scene
from pointcept_wsegpc.commands.quickstart_report import scene_row
from pointcept_wsegpc.contracts.classes import IGNORE, ClassTable
from pointcept_wsegpc.contracts.scene import scene_dirs, split_scenes
from pointcept_wsegpc.contracts.tags import TAGS_FILE, read_scene_tags, write_scene_tags
from pointcept_wsegpc.contracts.views import read_view_image, read_views, write_view_image
from pointcept_wsegpc.labels.official import convert_pseudo_labels
from pointcept_wsegpc.regions.scenes.extract import extract_regions
from pointcept_wsegpc.regions.scenes.settings import RegionSettings
from pointcept_wsegpc.visualize.colors import label_colors
from pointcept_wsegpc.visualize.ply import write_labeled
from pointcept_wsegpc.visualize.regions import draw_report

SCANNET20 = ClassTable.shipped("scannet20")
FIRST = 17  # id of ScanNet's first class among the 37
TABLE = ClassTable(
    [*(f"thing {i}" for i in range(FIRST)), *SCANNET20.names],
    label_file="truth",
    ignore=[255],
    synonyms={"sofa": ["couch"]},
)


@pytest.fixture
def root(root_copy):
    """The data set of the other tests, renumbered; 255 is no label."""
    for scene in scene_dirs(root_copy, ("train", "val")):
        label = np.load(scene / "segment20.npy")
        np.save(scene / "truth.npy", np.where(label < 0, 255, label + FIRST).astype(np.uint8))
        (scene / "segment20.npy").unlink()
        views = read_views(scene)
        for frame in views.frame:
            label = read_view_image(scene, frame, "label")
            write_view_image(scene, frame, "label", np.where(label < 0, IGNORE, label + FIRST))
    tags = read_scene_tags(root_copy / TAGS_FILE)
    loud = {scene: [name.upper() for name in names] for scene, names in tags.items()}
    write_scene_tags(root_copy / TAGS_FILE, loud)
    TABLE.write(root_copy, replace=True)
    return root_copy


def truth(scene):
    return TABLE.clean(np.load(scene / "truth.npy"), "truth")


def test_checks(root):
    table, scenes = ClassTable.read(root), split_scenes(root)
    records = {name: check_scene(path, CheckSettings(table)) for name, path in scenes.items()}
    found = [p["key"] for record in records.values() for p in record["problems"]]
    assert not {"label-range", "label-dtype"} & set(found)
    for name, path in scenes.items():
        present = np.unique(truth(path)[truth(path) >= 0])
        assert records[name]["labeled"] == [TABLE.names[i] for i in present]
    keys = {p.key for p in check_tags(root, list(scenes), records, table).problems}
    assert keys <= {"tags-unused", "tags-everywhere"}
    np.save(path / "truth.npy", np.full(len(truth(path)), 37))
    found = [p["key"] for p in check_scene(path, CheckSettings(table))["problems"]]
    assert "label-range" in found


def test_regions_and_their_figure(prepared_root, root, tmp_path):
    settings = RegionSettings.resolve(
        points={"min_size": 30, "max_distance": 0.1}, views={"min_size": 20}
    )
    scene = scene_dirs(root, "train")[0]
    before = extract_regions(
        scene_copy(prepared_root, scene, tmp_path), settings
    )  # the same points and pixels, numbered as ScanNet's
    record = extract_regions(scene, settings)
    for kind in ("points", "views"):
        assert record[kind]["quality"] == pytest.approx(before[kind]["quality"])
    draw_report(tmp_path / "report.png", {"a": (scene, "growing")})
    colors = label_colors(TABLE)
    assert len(np.unique(colors, axis=0)) == len(TABLE) + 1
    with Image.open(tmp_path / "report.png") as figure:
        assert figure.width > 1000


def scene_copy(prepared_root, scene, tmp_path):
    import shutil

    SCANNET20.write(tmp_path)
    source = prepared_root / scene.parent.name / scene.name
    return shutil.copytree(source, tmp_path / "scannet" / scene.parent.name / scene.name)


def test_labels_and_reports(root, tmp_path):
    scenes = {path.name: path for path in scene_dirs(root, "train")}
    for name, path in scenes.items():
        label = truth(path)
        np.savez(tmp_path / f"{name}.npz", pred_label=np.where(label < 0, 255, label))
    manifest = convert_pseudo_labels(tmp_path, tmp_path / "store", TABLE, scenes)
    assert manifest["names"] == list(TABLE.names)
    assert manifest["quality"]["miou"]["3d"] == 1
    store = tmp_path / "store"
    assert write_labeled((path, store, name, tmp_path / f"{name}.ply"), TABLE) is None
    header = (tmp_path / f"{name}.ply").read_bytes()[:4000].decode("latin-1")
    assert "label 36 otherfurniture" in header
    row = scene_row(path, [], {"ours": store}, TABLE)
    np.testing.assert_array_equal(row.labels["ground truth"], row.labels["ours"])


def test_data_set(root):
    dataset = build_dataset(dataset_config(root, mode="eval"))
    assert dataset.names == TABLE.names
    sample = dataset[0]
    scene = dataset.scenes[0]
    np.testing.assert_array_equal(sample["origin_segment"], truth(scene))
    present = {TABLE.names[i] for i in np.unique(truth(scene)) if i >= 0}
    tagged = {TABLE.names[i] for i in np.flatnonzero(sample["scene_tags"][0])}
    assert tagged == present  # whose names are in capitals in the file
