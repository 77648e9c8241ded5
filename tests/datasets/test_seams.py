"""What a user chooses of a data set: classes, features, visibility, sizes, views' tags, keys."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from pointcept.datasets import build_dataset, collate_fn
from pointcept.datasets.builder import DATASETS
from pointcept.datasets.defaults import DefaultDataset
from stores import write_store

import pointcept_wsegpc.register  # noqa: F401  the data sets by name
from pointcept_wsegpc.camera import pixels_in_image
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.scene import scene_dirs, scene_key
from pointcept_wsegpc.contracts.views import (
    VIEW_SUFFIX,
    Views,
    read_view_image,
    read_views,
    view_path,
    write_views,
)
from pointcept_wsegpc.models.images import stack_views, stacked_rows

SIZE = (36, 48)


def dataset(root, **settings):
    """Samples without any augmentation."""
    return build_dataset(
        {
            "type": "WSegPCMultiViewDataset",
            "data_root": str(root),
            "num_views": 3,
            "grid_size": 0.12,
            "depth_tolerance": 0.1,
            "teacher_image_jitter": None,
            "student_image_jitter": None,
            **settings,
        }
    )


def links(sample):
    columns = [sample[f"link_{name}"] for name in ("view", "point", "row", "col")]
    return set(map(tuple, torch.stack(columns, 1).tolist()))


def first_scene(root):
    return scene_dirs(root, "train")[0]


# ----------------------------------------------------------------------------- the class table


def test_roles_of_the_class_table_decide_which_tags_a_structure_clears(root_copy):
    names = list(ClassTable.read(root_copy).names)
    roles = {"ground": ["floor", "bed"], "wall": ["wall"]}
    (root_copy / "classes.json").unlink()  # or its roles would stay
    ClassTable(names, "segment20", roles=roles).write(root_copy)
    tags = {scene.name: ["floor", "bed", "wall"] for scene in scene_dirs(root_copy, "train")}
    (root_copy / "scene_tags.json").write_text(json.dumps(tags))
    sample = dataset(root_copy, structure_removal={"ground": 1.0, "ceiling": 1.0})[0]
    left = {names[c] for c in sample["point_tags"][0].nonzero()[:, 0]}
    assert left == {"wall"} and sample["view_tags"].sum(1).eq(3).all()
    with pytest.raises(ValueError, match="'floor'; expected one of ground, wall, ceiling"):
        dataset(root_copy, structure_removal={"floor": 1.0})


def test_classes_and_label_file_of_the_users_own(root_copy):
    scene = first_scene(root_copy)
    own = np.arange(len(np.load(scene / "coord.npy"))) % 38 - 1
    np.save(scene / "own.npy", np.where(own == 5, 250, own))
    table = ClassTable([f"class {i}" for i in range(37)], "own", ignore=[250])
    table.write(root_copy, replace=True)
    (root_copy / "scene_tags.json").write_text(json.dumps({scene.name: ["CLASS 30", "class 2"]}))
    sample = dataset(root_copy, with_labels=True)[0]
    assert sample["point_tags"].shape == (1, 37) and sample["segment"].max() == 36
    assert sample["point_tags"][0].nonzero()[:, 0].tolist() == [2, 30]
    whole = dataset(root_copy, mode="eval")[0]
    expected = np.where(own == 5, -1, own)
    np.testing.assert_array_equal(whole["origin_segment"], expected)
    with pytest.raises(ValueError, match="expected \\['wall'"):
        dataset(root_copy, names=["wall"])


# ----------------------------------------------------------------------------------- features


def test_only_what_is_fed_is_read(root_copy):
    scene = first_scene(root_copy)
    strength = np.linspace(0, 1, len(np.load(scene / "coord.npy")), dtype=np.float16)
    np.save(scene / "strength.npy", strength)
    for name in ("color", "normal"):
        (scene / f"{name}.npy").unlink()
    turn = [{"type": "RandomRotate", "angle": [-1, 1], "axis": "z", "p": 1}]
    settings = {"feat_keys": ("strength", "coord"), "structure_removal": {"ground": 1.0}}
    sample = dataset(root_copy, student_augmentation=turn, **settings)[0]
    assert sample["feat"].shape == (len(sample["coord"]), 4)
    assert torch.equal(sample["feat"][:, 1:], sample["coord"])
    assert torch.equal(sample["teacher_feat"][:, 1:], sample["teacher_coord"])
    assert set(sample["feat"][:, 0].tolist()) <= set(strength.astype(np.float32).tolist())
    assert dataset(root_copy, mode="eval", **settings)[0]["feat"].shape[1] == 4
    with pytest.raises(FileNotFoundError, match=r"color\.npy is missing"):
        dataset(root_copy)[0]


def test_an_augmentation_of_what_is_not_read_is_refused(root_copy):
    color = [{"type": "ChromaticTranslation", "p": 1}]
    with pytest.raises(ValueError, match=r"needs the color, which feat_keys \('normal',\)"):
        dataset(root_copy, feat_keys=("normal",), color_augmentation=color)
    displaced = [{"type": "WSegPCProjectDisplacement"}]
    with pytest.raises(ValueError, match=r"student_augmentation needs 'displacement' of the poi"):
        dataset(root_copy, student_augmentation=displaced)[0]


# --------------------------------------------------------------------------------- visibility


def test_without_a_test_every_point_in_the_image_is_linked(root_copy):
    for path in root_copy.glob(f"*/*/views/*{VIEW_SUFFIX['depth']}"):
        path.unlink()
    sample = dataset(root_copy, link_visibility="none", num_views=1)[0]
    scene = first_scene(root_copy)
    views = read_views(scene)
    expected = {  # the view is drawn at random
        frozenset((0, *row) for row in np.stack(pixels_in_image(
            sample["coord"].numpy(), views.intrinsic[v], views.world_to_camera[v], SIZE
        )[:3], 1).tolist())
        for v in range(len(views))
    }  # fmt: skip
    assert links(sample) in expected
    with pytest.raises(FileNotFoundError, match=r"depth\.png is missing"):
        dataset(root_copy)[0]


@pytest.mark.parametrize("feat_keys", [("color", "normal"), ("color",)])
def test_a_z_buffer_of_the_points_sees_about_what_depth_images_see(root_copy, feat_keys):
    found = {}
    for kind in ("depth", "none", "zbuffer"):
        if kind != "depth":
            for path in root_copy.glob(f"*/*/views/*{VIEW_SUFFIX['depth']}"):
                path.unlink(missing_ok=True)
        data = dataset(root_copy, link_visibility=kind, feat_keys=feat_keys)
        data.set_epoch(0, 0)
        found[kind] = links(data[0])
    depth, every, zbuffer = found["depth"], found["none"], found["zbuffer"]
    assert zbuffer < every and depth <= every
    assert len(depth & zbuffer) > 0.8 * len(depth)
    hidden = every - depth
    assert len(hidden) > 100 and len(zbuffer & hidden) < 0.5 * len(hidden)


def test_an_unknown_visibility_is_refused(prepared_root):
    with pytest.raises(ValueError, match="'mesh'; expected one of depth, zbuffer, none"):
        dataset(prepared_root, link_visibility="mesh")


# --------------------------------------------------------------------- images of several sizes


def halve(scene, number):
    """Store one view of a scene at half its size."""
    views = read_views(scene)
    size = views.size.copy()
    size[number] = size[number] // 2
    views.intrinsic[number, :2] /= 2
    views.intrinsic[number, :2, 2] -= 0.25  # (c + 0.5) / 2 - 0.5
    fields = (views.frame, views.intrinsic, views.world_to_camera, size, views.axis_alignment)
    write_views(scene, Views(*fields))
    for kind in ("color", "depth", "region", "label"):
        path = view_path(scene, views.frame[number], kind)
        image = Image.open(path)
        image.resize(tuple(size[number, ::-1]), Image.Resampling.NEAREST).save(path)


def test_views_of_several_sizes_in_a_sample_and_in_a_batch(root_copy):
    scene = first_scene(root_copy)
    for number in range(len(read_views(scene)) // 3):  # the first of three views is one of these
        halve(scene, number)
    data = dataset(root_copy)
    sample = data[0]
    assert sample["view_size"].tolist() == [[18, 24], [36, 48], [36, 48]]
    pixels = 18 * 24 + 2 * 36 * 48
    assert sample["image"].shape == sample["teacher_image"].shape == (pixels, 3)
    assert sample["image_region"].shape == (pixels,)
    size = sample["view_size"][sample["link_view"]]
    assert (sample["link_row"] < size[:, 0]).all() and (sample["link_col"] < size[:, 1]).all()
    assert set(sample["link_view"].tolist()) == {0, 1, 2}
    # The first view's own pixels come first, row by row.
    views = read_views(scene)
    regions = {
        read_view_image(scene, views.frame[v], "region").tobytes() for v in range(len(views) // 3)
    }
    assert sample["image_region"][: 18 * 24].numpy().tobytes() in regions
    whole = dataset(root_copy, mode="eval")[0]
    assert len(whole["image_segment"]) == len(whole["image"])
    batch = collate_fn([data[0], data[1]])
    sizes = [tuple(size) for size in batch["view_size"].tolist()]
    assert len(sizes) == 6 and set(sizes) == {SIZE, (18, 24)}
    stacks = stack_views(batch["image"], sizes)
    assert sorted(tuple(stack.maps.shape) for stack in stacks) == [(1, 3, 18, 24), (5, 3, *SIZE)]
    assert torch.equal(stacked_rows(stacks), batch["image"])


# ------------------------------------------------------------------------------ tags of views


def test_tags_of_views_replace_those_of_the_scene(root_copy):
    scene = first_scene(root_copy)
    data = dataset(root_copy, num_views=6)
    assert not data[0]["view_tagged"].any()
    frames = read_views(scene).frame.tolist()
    own = {str(frame): ["chair"] for frame in frames[: len(frames) // 2]}
    own[str(frames[0])] = []
    (root_copy / "view_tags.json").write_text(json.dumps({scene.name: own}))
    data = dataset(root_copy, num_views=6, structure_removal={"ground": 1.0})
    of_scene, chair = data.tag_vector(scene.name), data.names.index("chair")
    for epoch in range(3):
        data.set_epoch(0, epoch)
        sample = data[0]
        assert sample["view_tagged"].dtype == torch.bool
        assert sample["view_tagged"].tolist() == [True] * 3 + [False] * 3  # ascending frames
        for tagged, tags in zip(sample["view_tagged"], sample["view_tags"], strict=True):
            if tagged:
                assert tags.sum() <= 1 and tags[chair] == tags.sum()
            else:
                assert tags.tolist() == of_scene.tolist()
        assert sample["image_tags"][0].tolist() == of_scene.tolist()
    other = data[1]
    assert not other["view_tagged"].any() and other["view_tags"].sum() > 0


# ------------------------------------------------------------------------------------ scenes


def nested(root):
    """The same scenes, two of one name in folders of their own."""
    tags = json.loads((root / "scene_tags.json").read_text())
    for number, scene in enumerate(scene_dirs(root, "train")):
        target = root / "train" / f"{number:02d}" / "000001"
        target.parent.mkdir()
        shutil.move(scene, target)
        tags[f"{number:02d}/000001"] = tags[scene.name]
    (root / "scene_tags.json").write_text(json.dumps(tags))


def test_scenes_in_folders_keep_their_folders(root_copy, tmp_path):
    nested(root_copy)
    data = dataset(root_copy)
    assert data.scene_keys == ["00/000001", "01/000001", "02/000001"]
    assert data[1]["name"] == data.get_data_name(4) == "01/000001"
    scene = scene_dirs(root_copy, "train")[2]
    assert scene_key(scene, root_copy) == "02/000001"


@DATASETS.register_module("Test-NestedDataset")
class NestedDataset(DefaultDataset):
    """A data set of the user's own: scenes in folders, other arrays."""

    VALID_ASSETS = ["coord", "color", "strength", "segment"]

    def get_data_list(self):
        return [str(scene) for scene in scene_dirs(self.data_root, self.split)][::-1]

    def get_data_name(self, idx):
        return "a name of its own"


def test_pseudo_labels_of_any_data_set(root_copy, tmp_path):
    nested(root_copy)
    labels = {}
    for scene in scene_dirs(root_copy, "train"):
        points = len(np.load(scene / "coord.npy"))
        np.save(scene / "strength.npy", np.ones(points, np.float32))
        np.save(scene / "segment.npy", np.full(points, 7))
        labels[scene_key(scene, root_copy)] = np.arange(points) % 20
    store = write_store(tmp_path / "store", labels).path
    data = build_dataset(
        {
            "type": "WSegPCPseudoLabelDataset",
            "store": str(store),
            "dataset": "Test-NestedDataset",
            "data_root": str(root_copy),
            "loop": 2,
        }
    )
    assert len(data) == 6
    sample = data[3]
    assert sample["name"] == "00/000001" and "strength" in sample and "normal" not in sample
    np.testing.assert_array_equal(sample["segment"], np.arange(len(sample["coord"])) % 20)


def test_scenes_with_the_labels_of_their_table(root_copy):
    table = ClassTable.read(root_copy)
    nested(root_copy)
    data = build_dataset({"type": "WSegPCSceneDataset", "data_root": str(root_copy)})
    assert [data.get_data_name(i) for i in range(len(data))] == data.scene_keys
    assert data.scene_keys == ["00/000001", "01/000001", "02/000001"]
    path = root_copy / "train/01/000001" / f"{table.label_file}.npy"
    np.testing.assert_array_equal(data[1]["segment"], table.clean(np.load(path), path))
    path.unlink()
    assert (data[1]["segment"] == -1).all()
