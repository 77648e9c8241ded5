"""Samples of both stages: what is in them, that it is true, and that it can be repeated."""

import itertools
import json
import shutil

import numpy as np
import pytest
import reference
import torch
from errors import assert_error
from PIL import Image
from pointcept.datasets import build_dataset, collate_fn
from stores import write_store

import pointcept_wsegpc.register  # noqa: F401  the data sets by name
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.label_store import LabelStore
from pointcept_wsegpc.contracts.scene import read_points, scene_dirs, scene_key
from pointcept_wsegpc.contracts.views import VIEW_SUFFIX, read_view_image, read_views
from pointcept_wsegpc.models.batch_index import BatchIndex
from pointcept_wsegpc.transforms.views import point_features

SCANNET20 = ClassTable.shipped("scannet20")

C, V, GRID, TOLERANCE = 20, 4, 0.12, 0.1
FLIP_AND_TURN = [
    {"type": "RandomFlip", "p": 0.5},
    {"type": "RandomRotate", "angle": [-1, 1], "axis": "z", "center": [0, 0, 0], "p": 1},
]
STRONG = [
    *FLIP_AND_TURN,
    {"type": "RandomScale", "scale": [0.8, 1.2]},
    {"type": "RandomJitter", "sigma": 0.005, "clip": 0.02},
]
COLOR = [{"type": "ChromaticTranslation", "p": 1}, {"type": "WSegPCHueSaturation"}]
STRUCTURES = {"ground": 0.5, "wall": 0.5}


def dataset(root, **settings):
    """The training data set with every augmentation."""
    return build_dataset(
        {
            "type": "WSegPCMultiViewDataset",
            "data_root": str(root),
            "num_views": V,
            "grid_size": GRID,
            "depth_tolerance": TOLERANCE,
            "teacher_augmentation": FLIP_AND_TURN,
            "student_augmentation": STRONG,
            "color_augmentation": COLOR,
            "structure_removal": STRUCTURES,
            **settings,
        }
    )


PLAIN = {
    "color_augmentation": [],
    "structure_removal": None,
    "teacher_image_jitter": None,
    "student_image_jitter": None,
}
STILL = {**PLAIN, "teacher_augmentation": [], "student_augmentation": []}


def assert_same(first, second):
    assert first.keys() == second.keys()
    for key, value in first.items():
        same = torch.equal(value, second[key]) if torch.is_tensor(value) else value == second[key]
        assert same, key


def number_points(root):
    """Write every point's number and its scene's into its color: augmentation moves points, and
    may drop them, but without an augmentation of colors it leaves colors alone."""
    for number, scene in enumerate(scene_dirs(root, ["train", "val"])):
        points = np.arange(len(np.load(scene / "coord.npy")))
        color = np.stack([points % 256, points // 256, np.full(len(points), number)], axis=1)
        np.save(scene / "color.npy", color.astype(np.uint8))


def point_numbers(feat):
    """(scene, point) of each voxel, from its features."""
    color = np.rint((feat[:, :3].numpy().astype(np.float64) + 1) * 127.5).astype(int)
    return color[:, 2], color[:, 0] + 256 * color[:, 1]


def original(root, key, scene, point):
    """Rows of an array of the prepared scenes, for (scene, point) numbers."""
    arrays = [np.load(s / f"{key}.npy") for s in scene_dirs(root, ["train", "val"])]
    return np.stack([arrays[s][p] for s, p in zip(scene, point, strict=True)])


# -------------------------------------------------------------------- what is in a sample


def training_shapes(sample, views=V, parts=1):
    n, m, links = len(sample["coord"]), len(sample["teacher_coord"]), len(sample["link_view"])
    f, i32, i64 = torch.float32, torch.int32, torch.int64
    return {
        "coord": ((n, 3), f),
        "grid_coord": ((n, 3), i32),
        "feat": ((n, 6), f),
        "offset": ((1,), i64),
        "region": ((n,), i64),
        "teacher_coord": ((m, 3), f),
        "teacher_grid_coord": ((m, 3), i32),
        "teacher_feat": ((m, 6), f),
        "teacher_offset": ((parts,), i64),
        "teacher_sample_offset": ((1,), i64),
        "teacher_tags": ((parts, C), f),
        "teacher_row": ((n,), i64),
        "image": ((views * 36 * 48, 3), f),
        "teacher_image": ((views * 36 * 48, 3), f),
        "image_region": ((views * 36 * 48,), i32),
        "view_size": ((views, 2), i64),
        "view_offset": ((1,), i64),
        "image_tags": ((1, C), f),
        "view_tags": ((views, C), f),
        "view_tagged": ((views,), torch.bool),
        "point_tags": ((1, C), f),
        "link_view": ((links,), i64),
        "link_point": ((links,), i64),
        "link_row": ((links,), i64),
        "link_col": ((links,), i64),
        "link_offset": ((1,), i64),
    }


def check_training_sample(sample, parts=1):
    expected = training_shapes(sample, parts=parts)
    assert set(sample) == {*expected, "name"}
    for key, (shape, dtype) in expected.items():
        assert sample[key].shape == shape and sample[key].dtype == dtype, key
        assert dtype != torch.float32 or sample[key].isfinite().all(), key
    n, m, links = len(sample["coord"]), len(sample["teacher_coord"]), len(sample["link_view"])
    assert sample["offset"] == n and sample["view_offset"] == V and sample["link_offset"] == links
    assert sample["teacher_sample_offset"] == sample["teacher_offset"][-1] == m
    assert n > 0 and links > 0
    for key, size in (("teacher_row", m), ("link_point", n), ("link_view", V)):
        assert sample[key].min() >= 0 and sample[key].max() < size, key
    assert sample["link_row"].max() < 36 and sample["link_col"].max() < 48
    for name in ("region", "image_region"):
        assert sample[name].min() >= -1
    ids = sample["region"].unique()
    assert ids[ids >= 0].tolist() == list(range(int(ids.max()) + 1))  # compact
    for prefix in ("", "teacher_"):
        grid = sample[f"{prefix}grid_coord"]
        starts = [0, *sample["teacher_offset"].tolist()] if prefix else [0, n]
        for start, end in itertools.pairwise(starts):
            assert len(grid[start:end].unique(dim=0)) == end - start  # one point per voxel
            assert grid[start:end].min() == 0


def test_training_sample(prepared_root):
    data = dataset(prepared_root, loop=2)
    assert len(data) == 6 and data.get_data_name(4) == "scene0001_00"
    for index in range(6):
        sample = data[index]
        check_training_sample(sample)
        assert sample["name"] == data.get_data_name(index)
        tags = {SCANNET20.names[c] for c in sample["image_tags"][0].nonzero()[:, 0]}
        assert tags == set(data.scene_tags[sample["name"]])
        assert torch.equal(sample["view_tags"], sample["image_tags"].expand(V, C))
        assert torch.equal(sample["teacher_tags"], sample["point_tags"])
        assert (sample["point_tags"] <= sample["image_tags"]).all()


def test_key_names_that_collate_reads_are_used_as_it_reads_them(prepared_root):
    for key, value in dataset(prepared_root)[0].items():
        assert "correspondence" not in key and key != "img_num"
        if "offset" in key:
            assert value.dtype == torch.int64 and value.ndim == 1 and (value.diff() >= 0).all()


def test_evaluation_sample(prepared_root):
    data = dataset(prepared_root, split="val", mode="eval", loop=5)
    assert len(data) == 2  # looped in training only
    scene = scene_dirs(prepared_root, "val")[0]
    sample = data[0]
    points = read_points(scene, ("coord", "color", "normal", "segment20"))
    n, total = len(sample["coord"]), len(points["coord"])
    assert n < total and sample["offset"] == n
    inverse = sample["inverse"].numpy()
    assert inverse.shape == (total,) and set(inverse) == set(range(n))
    distance = abs(sample["coord"].numpy()[inverse] - points["coord"])
    assert distance.max() < GRID  # the same voxel
    np.testing.assert_array_equal(sample["origin_segment"], points["segment20"])
    np.testing.assert_array_equal(sample["origin_region"], np.load(scene / "region.npy"))
    first = [np.flatnonzero(inverse == voxel)[0] for voxel in range(n)]
    np.testing.assert_array_equal(sample["coord"], points["coord"][first])
    np.testing.assert_array_equal(sample["segment"], points["segment20"][first])
    np.testing.assert_allclose(sample["feat"][:, :3], points["color"][first] / 127.5 - 1, atol=1e-6)
    np.testing.assert_array_equal(sample["feat"][:, 3:], points["normal"][first])
    pixels = V * 36 * 48
    assert sample["image"].shape == (pixels, 3) and sample["view_offset"] == V
    assert sample["image_segment"].shape == (pixels,) and sample["image_segment"].max() >= 0
    assert sample["view_size"].tolist() == [[36, 48]] * V
    assert sample["scene_tags"].shape == (1, C) and sample["grid_coord"].dtype == torch.int32
    for key in ("segment", "origin_segment", "inverse", "origin_region"):
        assert sample[key].dtype == torch.int64, key
    assert_same(sample, data[0])


def test_evaluation_without_labels_and_without_tags(root_copy):
    scene = scene_dirs(root_copy, "val")[0]
    (scene / "segment20.npy").unlink()
    tags = json.loads((root_copy / "scene_tags.json").read_text())
    del tags[scene.name]
    (root_copy / "scene_tags.json").write_text(json.dumps(tags))
    sample = dataset(root_copy, split="val", mode="eval")[0]
    assert not {"segment", "origin_segment", "image_segment"} & sample.keys()
    assert sample["scene_tags"].eq(1).all()  # nothing is masked


# ------------------------------------------------------------------------- and true


@pytest.mark.parametrize("mix3d", [0.0, 1.0])
def test_points_keep_region_normal_and_voxel_through_augmentation(root_copy, mix3d):
    number_points(root_copy)
    # Doubling is exact in floating point: halved, the student's points are the teacher's.
    student_augmentation = [{"type": "RandomScale", "scale": [2, 2]}]
    settings = {**PLAIN, "student_augmentation": student_augmentation, "mix3d_prob": mix3d}
    if mix3d:
        settings.update(
            teacher_augmentation=[]
        )  # mixing moves the student: compare with the originals
    data = dataset(root_copy, **settings)
    for index in range(3):
        sample = data[index]
        scene, point = point_numbers(sample["feat"])
        teacher_scene, teacher_point = point_numbers(sample["teacher_feat"])
        stored = original(root_copy, "region", scene, point)
        ours = sample["region"].numpy()
        np.testing.assert_array_equal(ours < 0, stored < 0)
        pairs = {(s, r, o) for s, r, o in zip(scene, stored, ours, strict=True) if r >= 0}
        assert len(pairs) == len({p[:2] for p in pairs}) == len({p[2] for p in pairs})
        normal = original(root_copy, "normal", scene, point)
        np.testing.assert_allclose(sample["feat"][:, 5], normal[:, 2], atol=1e-6)  # turned about z
        # The teacher voxel of a student voxel holds the same original point.
        index = sample["teacher_row"].numpy()
        np.testing.assert_array_equal(teacher_scene[index], scene)
        if mix3d:
            weak = original(root_copy, "coord", scene, point)
            teacher_coord = original(root_copy, "coord", teacher_scene, teacher_point)
        else:
            weak, teacher_coord = sample["coord"].numpy() / 2, sample["teacher_coord"].numpy()
        cell = np.floor(weak / np.float32(GRID))
        np.testing.assert_array_equal(cell, np.floor(teacher_coord / np.float32(GRID))[index])


def test_grids_are_moved_for_student_and_teacher_apart(root_copy):
    number_points(root_copy)
    data, moves = dataset(root_copy, grid_shift=100, **STILL), []
    data.set_epoch(0, 0)
    for index in (0, 1, 1):
        sample = data[index]
        for prefix in ("", "teacher_"):
            # One move (3,) in voxels takes every point to its cell.
            rest = sample[f"{prefix}grid_coord"] - sample[f"{prefix}coord"] / GRID
            low, high = rest.max(0).values, rest.min(0).values + 1
            assert (low <= high + 1e-4).all() and len(sample[f"{prefix}coord"]) > 100
            lowest = sample[f"{prefix}grid_coord"].min(0).values
            assert lowest.min() >= 0 and lowest.max() <= 100
            moves.append((low % 1, lowest))
        # The teacher voxel of a student voxel holds its point.
        _, teacher_first = point_numbers(sample["teacher_feat"])
        _, point = point_numbers(sample["feat"])
        assert (teacher_first[sample["teacher_row"]] <= point).all()
        offset = sample["teacher_coord"][sample["teacher_row"]] - sample["coord"]
        assert offset.abs().max() < GRID * 1.001
    (student, teacher, other, *_, again, _) = moves
    assert not (student[1] == teacher[1]).all() and not (student[1] == other[1]).all()
    assert not torch.allclose(student[0], teacher[0], atol=0.01)
    assert (again[1] == other[1]).all()


def test_every_original_voxel_reaches_teacher_and_student(root_copy):
    number_points(root_copy)
    sample = dataset(root_copy, **STILL)[0]
    coord = np.load(scene_dirs(root_copy, "train")[0] / "coord.npy")
    cells = np.unique(np.floor(coord / np.float32(GRID)), axis=0)
    assert len(sample["coord"]) == len(sample["teacher_coord"]) == len(cells)
    assert sample["teacher_row"].tolist() == list(range(len(cells)))  # equal views, equal voxels
    np.testing.assert_array_equal(sample["feat"], sample["teacher_feat"])


def slow_project(point, intrinsic, pose):
    x, y, z = pose[:3, :3] @ np.asarray(point, np.float64) + pose[:3, 3]
    column = intrinsic[0, 0] * x / z + intrinsic[0, 2]
    return intrinsic[1, 1] * y / z + intrinsic[1, 2], column, z


def shown_frames(image, scene, views):
    """Positions in the views of the images of a sample without jitter."""
    stored = [read_view_image(scene, f, "color", views.size[0]) for f in views.frame]
    stored = np.stack(stored).reshape(len(views), 36 * 48, 3) / 255
    return [int(abs(stored - one.numpy()).max((1, 2)).argmin()) for one in image.split(36 * 48)]


@pytest.mark.parametrize("mix3d", [0.0, 1.0])
def test_links_hit_their_points_at_their_depth(root_copy, mix3d):
    """In the original coordinates, whatever was done to the points; and none is missing."""
    number_points(root_copy)
    scenes = scene_dirs(root_copy, ["train", "val"])
    data = dataset(root_copy, **PLAIN, mix3d_prob=mix3d)
    for index in range(3):
        sample = data[index]
        scene, point = point_numbers(sample["feat"])
        coord = original(root_copy, "coord", scene, point)
        columns = ("link_view", "link_point", "link_row", "link_col")
        rows = torch.stack([sample[k] for k in columns], 1).tolist()
        links = {(view, voxel): (row, col) for view, voxel, row, col in rows}
        assert len(links) == len(rows)
        names = sample["name"].split("+")
        of_view = np.repeat(names, np.diff(np.linspace(0, V, len(names) + 1).astype(int)))
        for v, name in enumerate(of_view):
            number = next(i for i, s in enumerate(scenes) if s.name == name)
            views = read_views(scenes[number])
            [f] = shown_frames(sample["image"].split(36 * 48)[v], scenes[number], views)
            depth = read_view_image(scenes[number], views.frame[f], "depth")
            for i in np.flatnonzero(scene == number):
                row, col, z = slow_project(coord[i], views.intrinsic[f], views.world_to_camera[f])
                if (v, i) in links:
                    r, c = links.pop((v, i))
                    assert abs(row - r) <= 0.501 and abs(col - c) <= 0.501
                    assert depth[r, c] > 0 and abs(depth[r, c] - z) <= TOLERANCE + 1e-4
                elif z > 0 and -0.499 < row < 35.499 and -0.499 < col < 47.499:
                    r, c = int(np.rint(row)), int(np.rint(col))
                    near_an_edge = max(abs(row - r), abs(col - c)) > 0.499
                    measured = depth[r, c]
                    apart = abs(measured - z) > TOLERANCE - 1e-4
                    assert near_an_edge or measured == 0 or apart
        assert not links  # none belongs to another scene's view


def test_image_regions_are_the_views_own(prepared_root):
    sample = dataset(prepared_root, **PLAIN)[1]
    scene = scene_dirs(prepared_root, "train")[1]
    views = read_views(scene)
    frames = views.frame[shown_frames(sample["image"], scene, views)]
    assert (np.diff(frames) >= 0).all()  # two parts of a short capture may share a frame
    regions = sample["image_region"].reshape(V, 36, 48)
    for frame, region in zip(frames, regions, strict=True):
        np.testing.assert_array_equal(region, read_view_image(scene, frame, "region"))
    assert torch.equal(sample["image"], sample["teacher_image"])  # without jitter


@pytest.mark.parametrize("key", ["image", "teacher_image"])
def test_each_view_has_its_own_jitter(prepared_root, key):
    names = {"image": "student_image_jitter", "teacher_image": "teacher_image_jitter"}
    plain = dataset(prepared_root, **PLAIN)[0]
    sample = dataset(prepared_root, **{**PLAIN, names[key]: (0.5, 0, 0, 0)})[0]
    for name in names:
        assert torch.equal(sample[name], plain[name]) == (name != key)


def test_student_and_teacher_are_drawn_apart(prepared_root):
    sample = dataset(prepared_root)[0]
    index = sample["teacher_row"]
    assert not torch.equal(sample["feat"][:, :3], sample["teacher_feat"][index][:, :3])
    assert not torch.equal(sample["image"], sample["teacher_image"])


CLASS_OF = {"ground": "floor", "wall": "wall"}
SIDES = {"ground": [(2, 1)], "wall": [(0, 1), (0, -1), (1, 1), (1, -1)]}


@pytest.mark.parametrize("role", CLASS_OF)
def test_structure_removal_drops_regions_and_3d_tags_only(root_copy, role):
    """The sides are those of the room, found in the axis-aligned frame."""

    def structures(coord):
        return {reference.side_region(coord, region, *side)[0] for side in SIDES[role]}

    number_points(root_copy)
    other = {"ground": "wall", "wall": "ground"}[role]
    data = dataset(root_copy, **{**STILL, "structure_removal": {role: 1.0, other: 0.0}})
    frame_matters = []
    for index, scene in enumerate(scene_dirs(root_copy, "train")):
        sample = data[index]
        align = read_views(scene).axis_alignment
        coord, region = np.load(scene / "coord.npy"), np.load(scene / "region.npy")
        expected = structures(coord @ align[:3, :3].T + align[:3, 3])
        frame_matters.append(structures(coord) != expected)
        left = region[point_numbers(sample["feat"])[1]]
        assert set(region.tolist()) - set(left.tolist()) == expected
        removed, kept = (SCANNET20.index(CLASS_OF[name]) for name in (role, other))
        for key in ("point_tags", "teacher_tags"):
            assert sample[key][0, removed] == 0 and sample[key][0, kept] == 1
        for key in ("image_tags", "view_tags"):
            assert sample[key][:, [removed, kept]].eq(1).all()
    assert any(frame_matters) == (role == "wall")


# --------------------------------------------------------------------------------- Mix3D


def test_mixed_sample(root_copy):
    number_points(root_copy)
    data = dataset(root_copy, mix3d_prob=1.0, **STILL)
    for index in range(3):
        sample = data[index]
        check_training_sample(sample, parts=2)
        names = sample["name"].split("+")
        assert names[0] == data.get_data_name(index) != names[1]
        tags = torch.stack([torch.from_numpy(data.tag_vector(n)) for n in names])
        assert torch.equal(sample["teacher_tags"], tags)
        assert torch.equal(sample["point_tags"][0], tags.max(0).values)
        assert torch.equal(sample["image_tags"], sample["point_tags"])
        assert torch.equal(sample["view_tags"], tags.repeat_interleave(V // 2, 0))
        first, _ = sample["teacher_offset"].tolist()
        teacher_scene, _ = point_numbers(sample["teacher_feat"])
        numbers = [int(name[5:9]) for name in names]
        assert set(teacher_scene[:first]) == {numbers[0]}
        assert set(teacher_scene[first:]) == {numbers[1]}
        scene, _ = point_numbers(sample["feat"])
        region = sample["region"].numpy()
        ids = [set(region[(scene == n) & (region >= 0)]) for n in numbers]
        assert ids[0] and ids[1] and not ids[0] & ids[1]
        boxes = [sample["coord"].numpy()[scene == n] for n in numbers]
        assert (boxes[0].max(0) > boxes[1].min(0)).all()  # they overlap
        assert (boxes[1].max(0) > boxes[0].min(0)).all()


def test_mixing_follows_its_probability(prepared_root):
    data = dataset(prepared_root, mix3d_prob=0.4, loop=20, **STILL)
    names = [data[index]["name"].split("+") for index in range(60)]
    assert 12 <= sum(len(name) == 2 for name in names) <= 36
    partners = {tuple(name) for name in names if len(name) == 2}
    assert len(partners) == 6  # each with each other scene


def test_a_lone_scene_is_not_mixed_with_itself(root_copy):
    for scene in scene_dirs(root_copy, "train")[1:]:
        shutil.rmtree(scene)
    check_training_sample(dataset(root_copy, mix3d_prob=1.0)[0])


def test_mixing_with_a_single_view(prepared_root):
    data = dataset(prepared_root, mix3d_prob=1.0, num_views=1)
    sample = data[0]
    assert len(sample["image"]) == 36 * 48
    viewed = sample["name"].split("+")[1]  # half of one view, rounded down, is the first scene's
    tags = data.tag_vector(viewed)
    assert sample["view_tags"].tolist() == [tags.tolist()]


# -------------------------------------------------------------------------- repeatable


def test_point_labels_are_not_read_in_training(prepared_root, root_copy):
    for pattern in ("segment*.npy", "instance.npy", "views/*.label.png"):
        found = list(root_copy.glob(f"*/*/{pattern}"))
        assert found
        for path in found:
            path.unlink()
    for mix3d in (0.0, 1.0):
        labeled, unlabeled = (dataset(r, mix3d_prob=mix3d) for r in (prepared_root, root_copy))
        labeled.set_epoch(0, 0)
        unlabeled.set_epoch(0, 0)
        for index in range(3):
            assert_same(labeled[index], unlabeled[index])


@pytest.mark.parametrize("mix3d", [0.0, 1.0])
def test_point_labels_of_the_voxels_on_request(prepared_root, mix3d):
    """Colors are left alone here, and so tell which point a voxel shows."""
    settings = {"mix3d_prob": mix3d, "structure_removal": {"ground": 1.0}, "color_augmentation": []}
    labeled = dataset(prepared_root, with_labels=True, **settings)
    plain = dataset(prepared_root, **settings)
    for data in (labeled, plain):
        data.set_epoch(0, 0)
    for index in range(3):
        sample = labeled[index]
        segment = sample.pop("segment")
        assert_same(sample, plain[index])
        assert segment.shape == (len(sample["coord"]),) and segment.dtype == torch.int64
        looks = {}
        for name in sample["name"].split("+"):
            scene = prepared_root / "train" / name
            points = read_points(scene, ("color", "normal", "segment20"))
            label = points["segment20"].reshape(-1)
            for row, value in zip(point_features(points, ("color", "normal")), label, strict=True):
                looks.setdefault(tuple(row[:3].round(4)), set()).add(int(value))
        seen = [looks[tuple(row[:3].round(4))] for row in sample["feat"].numpy()]
        assert all(int(value) in values for value, values in zip(segment, seen, strict=True))
        assert sum(len(values) == 1 for values in seen) > 0.5 * len(seen)  # it does decide


def test_requested_labels_that_are_missing(root_copy):
    scene = scene_dirs(root_copy, "train")[0]
    (scene / "segment20.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"segment20.npy is missing"):
        dataset(root_copy, with_labels=True)[0]
    assert "segment" in dataset(root_copy, with_labels=True)[1]


def test_labels_outside_the_class_table_are_refused(root_copy):
    path = scene_dirs(root_copy, "train")[0] / "segment20.npy"
    segment = np.load(path)
    segment[3] = 99
    np.save(path, segment)
    with pytest.raises(ValueError, match=r"segment20\.npy holds labels -1 to 99; expected 0 to 19"):
        dataset(root_copy, with_labels=True)[0]


def test_seed_epoch_and_index_decide_a_sample(prepared_root):
    data, other = dataset(prepared_root, loop=2), dataset(prepared_root, loop=2)
    samples = {}
    for seed, epoch, index in [(0, 0, 0), (0, 1, 0), (1, 0, 0), (0, 0, 3), (0, 0, 1)]:
        np.random.seed(len(samples))  # whatever the process drew before
        data.set_epoch(seed, epoch)
        samples[seed, epoch, index] = data[index]
    for (seed, epoch, index), sample in reversed(samples.items()):
        other.set_epoch(seed, epoch)
        assert_same(other[index], sample)
    first, *others = samples.values()
    for sample in others:
        assert not torch.equal(first["image"], sample["image"])
        assert len(first["coord"]) != len(sample["coord"]) or not torch.equal(
            first["coord"], sample["coord"]
        )


def test_a_sample_leaves_the_global_generators_alone(prepared_root):
    import random

    data = dataset(prepared_root)
    data.set_epoch(0, 0)
    np.random.seed(3)
    random.seed(3)
    expected = np.random.random(), random.random()
    np.random.seed(3)
    random.seed(3)
    data[0]
    assert (np.random.random(), random.random()) == expected
    with pytest.raises(IndexError), data.sample_rng(0):
        raise IndexError
    assert np.random.random() != expected[0]


@pytest.mark.parametrize("context", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_epochs_reach_persistent_workers(prepared_root, context):
    data, alone = dataset(prepared_root), dataset(prepared_root)
    loader = torch.utils.data.DataLoader(
        data,
        batch_size=1,
        num_workers=2,
        persistent_workers=True,
        collate_fn=collate_fn,
        multiprocessing_context=context,
    )
    epochs = []
    for epoch in (0, 1, 0):
        data.set_epoch(7, epoch)
        alone.set_epoch(7, epoch)
        epochs.append(list(loader))
        for index, batch in enumerate(epochs[-1]):
            assert_same(batch, collate_fn([alone[index]]))
    assert not torch.equal(epochs[0][0]["image"], epochs[1][0]["image"])
    assert torch.equal(epochs[0][0]["image"], epochs[2][0]["image"])


# ------------------------------------------------------------------------------- batches


def slow_unique(ids, ends):
    result, start, begin = [], 0, 0
    for end in ends:
        part = ids[begin:end]
        result += [-1 if i < 0 else i + start for i in part]
        start += max([-1, *part]) + 1
        begin = end
    return result


def slow_shift(index, ends, target_ends):
    result, begin, start = [], 0, 0
    for end, target in zip(ends, target_ends, strict=True):
        result += [i + start for i in index[begin:end]]
        begin, start = end, target
    return result


@pytest.mark.parametrize("mix3d", [0.0, 1.0])
def test_collate_of_every_key(prepared_root, mix3d):
    data = dataset(prepared_root, mix3d_prob=mix3d)
    samples = [data[i] for i in range(3)]
    batch = collate_fn(samples)
    assert batch.keys() == samples[0].keys()
    for key in samples[0]:
        parts = [sample[key] for sample in samples]
        if key == "name":
            assert batch[key] == parts
        elif "offset" in key:
            ends, start = [], 0
            for part in parts:
                ends += [start + end for end in part.tolist()]
                start = ends[-1]
            assert batch[key].tolist() == ends, key
        else:
            assert torch.equal(batch[key], torch.cat(parts)), key
            assert batch[key].dtype == parts[0].dtype
    assert len(batch["point_tags"]) == len(batch["offset"]) == len(batch["view_offset"]) == 3
    assert len(batch["teacher_tags"]) == len(batch["teacher_offset"]) == (6 if mix3d else 3)
    assert len(batch["teacher_sample_offset"]) == len(batch["link_offset"]) == 3
    ends = {key: value.tolist() for key, value in batch.items() if "offset" in key}
    index = BatchIndex.of(batch)
    assert index.point_region.tolist() == slow_unique(batch["region"].tolist(), ends["offset"])
    for shifted, key, own, target in [
        (index.teacher_row, "teacher_row", "offset", "teacher_sample_offset"),
        (index.link_point, "link_point", "link_offset", "offset"),
        (index.link_view, "link_view", "link_offset", "view_offset"),
    ]:
        assert shifted.tolist() == slow_shift(batch[key].tolist(), ends[own], ends[target])
    # Where an index leads after the shift is where it led in its sample.
    moved = batch["teacher_feat"][index.teacher_row]
    assert torch.equal(moved, torch.cat([s["teacher_feat"][s["teacher_row"]] for s in samples]))


# ----------------------------------------------------------------------------- bad input


def first_scene(root):
    return scene_dirs(root, "train")[0]


def write_tags(text):
    return lambda root: (root / "scene_tags.json").write_text(text)


def save_array(name, array):
    return lambda root: np.save(first_scene(root) / f"{name}.npy", array)


def remove(pattern):
    return lambda root: [path.unlink() for path in list(root.glob(pattern))]


def shrink(kind):
    def spoil(root):
        for path in first_scene(root).glob(f"views/*[0-9]{VIEW_SUFFIX[kind]}"):
            Image.open(path).resize((24, 18)).save(path)

    return spoil


def eight_bits(root):
    for path in first_scene(root).glob("views/*.depth.png"):
        Image.fromarray(np.ones((36, 48), np.uint8)).save(path)


@pytest.mark.parametrize(
    ("spoil", "kind", "found"),
    [
        (save_array("region", np.zeros(5, np.int32)), ValueError, ("region.npy", "5 ids")),
        (remove("train/*/region.npy"), FileNotFoundError, ("region.npy", "wsegpc regions")),
        (remove("train/*/views/*.region.png"), FileNotFoundError, (".region.png", "regions")),
        (write_tags('{"another": ["wall"]}'), KeyError, ("scene0000_00", "scene_tags.json")),
        (write_tags('{"scene0000_00": ["wardrobe"]}'), ValueError, ("scene0000_00", "wardrobe")),
        (remove("scene_tags.json"), FileNotFoundError, ("scene_tags.json", "wsegpc prepare")),
        (eight_bits, ValueError, (".depth.png", "8 bits")),
        *((shrink(kind), ValueError, (VIEW_SUFFIX[kind], "(18, 24)", "(36, 48)"))
          for kind in ("color", "depth", "region")),
        (save_array("normal", np.zeros((4, 3), np.float32)), ValueError, ("'normal': 4",)),
        (remove("train/*/coord.npy"), FileNotFoundError, ("train", "<root>/<split>/<scene>")),
    ],
)  # fmt: skip
def test_a_data_root_with_an_error_is_refused(root_copy, spoil, kind, found):
    spoil(root_copy)
    with assert_error(kind, *found):
        dataset(root_copy)[0]
    with assert_error(ValueError, "'test'", "train, eval"):
        dataset(root_copy, mode="test")


def test_a_scene_without_any_tag_is_a_sample_all_the_same(root_copy):
    (root_copy / "scene_tags.json").write_text('{"scene0000_00": []}')
    sample = dataset(root_copy)[0]
    assert sample["point_tags"].eq(0).all() and sample["view_tags"].eq(0).all()


# --------------------------------------------------------------------------- stage two


@pytest.fixture
def store(prepared_root, tmp_path):
    """Pseudo-labels of the training scenes: class = number of the point modulo 20."""
    labels = {}
    for scene in scene_dirs(prepared_root, "train"):
        point = np.arange(len(np.load(scene / "coord.npy")))
        labels[scene.name] = point % 20, (point % 11) / 10
    return write_store(tmp_path / "store", labels).path


def labeled(root, store, **settings):
    return build_dataset(
        {
            "type": "WSegPCPseudoLabelDataset",
            "store": str(store),
            "data_root": str(root),
            "split": "train",
            "transform": [],
            **settings,
        }
    )


def test_stage_two_takes_its_labels_from_the_store(prepared_root, store, root_copy):
    data = labeled(prepared_root, store, loop=2)
    assert len(data) == 6
    sample = data[4]
    point = np.arange(len(sample["coord"]))
    assert sample["name"] == "scene0001_00" and sample["segment"].dtype == np.int32
    np.testing.assert_array_equal(sample["segment"], point % 20)
    for path in root_copy.glob("*/*/segment*.npy"):  # ground truth is never read
        path.unlink()
    np.testing.assert_array_equal(labeled(root_copy, store)[1]["segment"], point % 20)


def test_a_data_root_behind_a_link(prepared_root, store, tmp_path):
    (tmp_path / "linked").symlink_to(prepared_root)
    assert labeled(tmp_path / "linked", store)[1]["name"] == "scene0001_00"
    for scene, root in (("linked", prepared_root), (prepared_root, "linked")):
        key = scene_key(tmp_path / scene / "train/08/000123", tmp_path / root)
        assert key == "08/000123"


@pytest.mark.parametrize("minimum", [0.0, 0.3, 0.7, 1.0])
def test_stage_two_ignores_what_is_not_confident(prepared_root, store, minimum):
    segment = labeled(prepared_root, store, min_confidence=minimum)[0]["segment"]
    point = np.arange(len(segment))
    kept = point % 11 >= round(minimum * 10)
    np.testing.assert_array_equal(segment, np.where(kept, point % 20, -1))


def test_stage_two_removes_structures_and_their_labels(prepared_root, store):
    plain = labeled(prepared_root, store)
    never = labeled(prepared_root, store, structure_removal={"ground": 0.0})
    removed = labeled(prepared_root, store, structure_removal={"ground": 1.0})
    for index, scene in enumerate(scene_dirs(prepared_root, "train")):
        kept, every = removed[index], plain[index]
        coord, region = (np.load(scene / f"{name}.npy") for name in ("coord", "region"))
        best, _, _ = reference.side_region(coord, region, axis=2, sign=1)
        expected = region != best
        assert 0 < expected.sum() < len(expected)
        for key in ("coord", "color", "normal", "segment"):
            np.testing.assert_array_equal(kept[key], every[key][expected])
        assert kept["name"] == every["name"]
        np.testing.assert_array_equal(never[index]["coord"], every["coord"])


def test_stage_two_names_a_scene_that_is_not_finite(root_copy, store):
    path = scene_dirs(root_copy, "train")[1] / "normal.npy"
    normal = np.load(path)
    normal[5] = np.nan
    np.save(path, normal)
    with assert_error(ValueError, path.parent, "normal", "1 of"):
        labeled(root_copy, store)[1]


def test_without_an_announced_epoch_every_draw_is_new(prepared_root, store):
    """Pointcept's own hook lists lack WSegPCReproducibleSampling: augmentation must not freeze."""
    transform = [{"type": "RandomRotate", "angle": [-1, 1], "axis": "z", "p": 1}]
    data = labeled(prepared_root, store, transform=transform)
    first, second = data[0]["coord"], data[0]["coord"]
    assert not np.array_equal(first, second)
    multiview = dataset(prepared_root)
    assert not np.array_equal(multiview[0]["teacher_feat"][:10], multiview[0]["teacher_feat"][:10])


def test_stage_two_samples_repeat(prepared_root, store):
    transform = [{"type": "RandomRotate", "angle": [-1, 1], "axis": "z", "p": 1}]
    data = labeled(prepared_root, store, transform=transform)
    coords = []
    for epoch in (0, 1, 0):
        data.set_epoch(0, epoch)
        coords.append(data[0]["coord"])
    assert np.array_equal(coords[0], coords[2]) and not np.array_equal(coords[0], coords[1])


def test_a_store_may_hold_more_scenes_than_are_trained_on(prepared_root, store):
    shutil.copy(store / "scene0000_00.npz", store / "scene9999_00.npz")
    assert len(labeled(prepared_root, store)) == 3


def test_a_store_that_does_not_fit_is_refused(prepared_root, store, tmp_path):
    with assert_error(FileNotFoundError, "empty"):
        labeled(tmp_path / "empty", store)
    with assert_error(FileNotFoundError, tmp_path / "nowhere", "wsegpc export-labels"):
        labeled(prepared_root, tmp_path / "nowhere")
    LabelStore.load(store).write("scene0002_00", np.zeros(7), np.ones(7))
    with assert_error(ValueError, "scene0002_00", "found 7"):
        labeled(prepared_root, store)[2]
    (store / "scene0001_00.npz").unlink()
    with assert_error(FileNotFoundError, "1 of 3 scenes", "scene0001_00", store):
        labeled(prepared_root, store)
    write_store(tmp_path / "none", {"scene0000_00": np.full(2000, -1)})
    with assert_error(ValueError, tmp_path / "none", "0 %", "0.1 %"):
        labeled(prepared_root, tmp_path / "none")
    write_store(tmp_path / "other", {"scene0000_00": np.zeros(3)}, ["wall", "floor"])
    with assert_error(ValueError, "['wall', 'floor']", "cabinet"):
        labeled(prepared_root, tmp_path / "other")
