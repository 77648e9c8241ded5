"""Predictors: their classes against ours, label maps on disk, priors of prepared scenes."""

import numpy as np
import pytest
from PIL import Image

from pointcept_wsegpc.contracts.classes import IGNORE, ClassTable
from pointcept_wsegpc.contracts.label_store import LabelStore
from pointcept_wsegpc.contracts.scene import scene_dirs
from pointcept_wsegpc.contracts.tags import read_scene_tags
from pointcept_wsegpc.contracts.views import read_view_image, read_views
from pointcept_wsegpc.priors.base import PREDICTORS, class_map, to_table
from pointcept_wsegpc.priors.scenes import lift_scene, write_prior

TABLE = ClassTable(("wall", "chair", "sofa"), synonyms={"sofa": ("couch",)})


def test_classes_by_name_synonym_and_mapping():
    names = ["Couch", "armchair", "wall", "sky", "CHAIR"]
    index, unmapped, without = class_map(names, TABLE, {"armchair": "chair"})
    assert index.tolist() == [2, 1, 0, -1, 1] and unmapped == ["sky"] and without == []
    assert class_map(["wall"], TABLE)[2] == ["chair", "sofa"]
    scores = np.arange(5.0)[:, None, None] * np.ones((5, 2, 3))
    np.testing.assert_array_equal(to_table(scores, index, 3)[:, 1, 2], [2, 5, 0])
    with pytest.raises(ValueError, match="armchar"):
        class_map(names, TABLE, {"armchar": "chair"})
    with pytest.raises(ValueError, match="chiar"):
        class_map(names, TABLE, {"armchair": "chiar"})


@pytest.fixture
def label_maps(prepared_root, tmp_path):
    """The true labels of all training views, as another program might have stored them."""
    for scene in scene_dirs(prepared_root, "train"):
        folder = tmp_path / "maps" / scene.name
        folder.mkdir(parents=True)
        for frame in read_views(scene).frame.tolist():
            label = read_view_image(scene, frame, "label")
            label = np.where(label == IGNORE, 255, label).astype(np.uint8)
            Image.fromarray(label).save(folder / f"{frame}.png")
    return tmp_path / "maps"


def test_true_label_maps_give_true_labels(prepared_root, label_maps, tmp_path):
    table = ClassTable.read(prepared_root)
    scenes = {s.name: s for s in scene_dirs(prepared_root, "train")}
    predictor = PREDICTORS.get("files")(label_maps, table.names)
    tags = read_scene_tags(prepared_root / "scene_tags.json")
    store = LabelStore(tmp_path / "prior", table.names, {"prior": "files"}).open(scenes)
    for scene in scenes.items():
        assert write_prior(scene, predictor, table, store, tags) == []
    store.finish()
    for key, scene in scenes.items():
        truth = table.clean(np.load(scene / f"{table.label_file}.npy"), scene)
        label = store.read(key, len(truth))["label"]
        known = (label != IGNORE) & (truth != IGNORE)
        assert known.mean() > 0.3  # few and small views
        assert (label == truth)[known].mean() > 0.9


def test_views_without_a_prediction_are_named(prepared_root, label_maps):
    table = ClassTable.read(prepared_root)
    scene = scene_dirs(prepared_root, "train")[0]
    frames = read_views(scene).frame.tolist()
    for frame in frames[1:]:
        (label_maps / scene.name / f"{frame}.png").unlink()
    predictor = PREDICTORS.get("files")(label_maps, table.names)
    _, seen, skipped = lift_scene(scene, predictor, table)
    assert skipped == frames[1:] and seen.max() == 1


def test_label_maps_on_disk(tmp_path):
    folder = tmp_path / "scene"
    folder.mkdir()
    label = np.array([[0, 1, 65535]], np.uint16)
    Image.fromarray(label).save(folder / "000007.png")
    Image.fromarray(np.array([[0, 51, 255]], np.uint8)).save(folder / "000007.confidence.png")
    maps = PREDICTORS.get("files")(tmp_path, ["wall", "chair"])
    image = np.zeros((1, 3, 3), np.uint8)
    np.testing.assert_allclose(maps.scores("scene", 7, image), [[[0, 0, 0]], [[0, 0.2, 0]]])
    assert maps.scores("scene", 8, image) is None
    with pytest.raises(ValueError, match=r"class id 1.*expected 0 to 0"):
        PREDICTORS.get("files")(tmp_path, ["wall"]).scores("scene", 7, image)
    Image.fromarray(np.zeros((1, 3, 3), np.uint8)).save(folder / "9.png")
    with pytest.raises(ValueError, match="one channel"):
        maps.scores("scene", 9, image)
    with pytest.raises(FileNotFoundError):
        PREDICTORS.get("files")(tmp_path / "none", ["wall"])
