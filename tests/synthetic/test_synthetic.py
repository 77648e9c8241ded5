"""Synthetic scans: plausible rooms, consistent geometry, ScanNet's files, determinism."""

import json
import shutil
from itertools import combinations

import numpy as np
import pytest
from cli import wsegpc
from scipy.spatial import cKDTree

from pointcept_wsegpc.captures.scannet.raw import nyu40_to_scannet20
from pointcept_wsegpc.captures.scannet.sens import SensReader
from pointcept_wsegpc.clouds.normals import face_normals
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.synthetic.benchmark import SIZES
from pointcept_wsegpc.synthetic.rooms.raw import RAW_CATEGORIES
from pointcept_wsegpc.synthetic.rooms.render import Light, RoomCaster
from pointcept_wsegpc.synthetic.rooms.room import CLASS_RANGE, FREQUENCY, make_room, scene_classes
from pointcept_wsegpc.synthetic.rooms.surface import resample, scan_mesh
from pointcept_wsegpc.synthetic.rooms.trajectory import hand_held_path
from pointcept_wsegpc.synthetic.scans import generate_dataset

SCANNET20 = ClassTable.shipped("scannet20")

SMALL = {"seed": 3, "points": 6000, "frames": 8, "color_size": (48, 36), "depth_size": (40, 30)}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("synthetic")
    made = generate_dataset(root, 2, 1, **SMALL)
    assert made == ["scene0000_00", "scene0001_00", "scene0002_00"]
    return root


def read_scene(root, name):
    """Vertices (V, 3), faces (F, 3), segments (V,), groups, NYU40 ids (V,); read with plyfile."""
    from plyfile import PlyData

    stem = root / "scans" / name / name
    ply = PlyData.read(f"{stem}_vh_clean_2.ply")
    coord = np.stack([ply["vertex"][axis] for axis in "xyz"], 1)
    face = np.stack(ply["face"]["vertex_indices"])
    with open(f"{stem}_vh_clean_2.0.010000.segs.json") as file:
        segment = np.array(json.load(file)["segIndices"])
    with open(f"{stem}.aggregation.json") as file:
        groups = json.load(file)["segGroups"]
    nyu40 = np.zeros(len(coord), int)
    for group in groups:
        nyu40[np.isin(segment, group["segments"])] = RAW_CATEGORIES[group["label"]][1]
    return coord, face, segment, groups, nyu40


def bytes_of(root):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def mesh_of(index, points):
    rng = np.random.default_rng(index)
    room = make_room(0, index)
    caster = RoomCaster(room, Light.random(rng, room.size))
    return room, scan_mesh(room, caster, hand_held_path(room, 12, rng), points, rng)


def test_layout(root):
    assert (root / "scannetv2_train.txt").read_text() == "scene0000_00\nscene0001_00\n"
    assert (root / "scannetv2_val.txt").read_text() == "scene0002_00\n"
    lines = (root / "scannetv2-labels.combined.tsv").read_text().splitlines()
    assert lines[0].split("\t") == ["id", "raw_category", "category", "nyu40id", "nyu40class"]
    assert len(lines) == len(RAW_CATEGORIES) + 1
    assert sorted(p.name for p in (root / "scans").iterdir()) == [
        f"scene000{i}_00" for i in range(3)
    ]


@pytest.mark.parametrize("name", ["scene0000_00", "scene0001_00"])
def test_annotation(root, name):
    coord, face, segment, groups, nyu40 = read_scene(root, name)
    assert len(segment) == len(coord) and abs(len(coord) - SMALL["points"]) < 0.2 * SMALL["points"]
    assert face.min() == 0 and face.max() == len(coord) - 1
    assert len(np.unique(face)) == len(coord)  # no vertex without a normal
    owned = [s for group in groups for s in group["segments"]]
    assert len(owned) == len(set(owned)) < segment.max() + 1  # one owner at most, some have none
    share = (nyu40 == 0).mean()
    assert 0 < share < 0.15
    assert (nyu40 == 50).any() and (nyu40 == 1).any() and (nyu40 == 2).any()


def test_axis_alignment(root):
    coord, *_, nyu40 = read_scene(root, "scene0000_00")
    text = (root / "scans" / "scene0000_00" / "scene0000_00.txt").read_text()
    fields = dict(line.split(" = ") for line in text.splitlines())
    alignment = np.array(fields["axisAlignment"].split(), float).reshape(4, 4)
    aligned = coord @ alignment[:3, :3].T + alignment[:3, 3]
    assert np.abs(alignment[:2, :2] - np.eye(2)).max() > 0.1
    assert np.abs(aligned[nyu40 == 2, 2]).max() < 0.03  # the floor is at 0
    assert np.ptp(aligned, 0)[:2].prod() < 0.9 * np.ptp(coord, 0)[:2].prod()
    assert int(fields["depthWidth"]) == 40 and int(fields["numColorFrames"]) == 8


def test_depth_lands_on_the_mesh(root):
    """Back-projected z-depth against the planes of the nearest vertices."""
    coord, face, *_ = read_scene(root, "scene0000_00")
    normal = np.zeros_like(coord)
    for corner in range(3):
        normal[face[:, corner]] = face_normals(coord, face)[0]
    tree, usable = cKDTree(coord), 0
    with SensReader(root / "scans" / "scene0000_00" / "scene0000_00.sens") as reader:
        fx, fy, cx, cy = (reader.intrinsic_depth[i] for i in ((0, 0), (1, 1), (0, 2), (1, 2)))
        assert not np.allclose(reader.intrinsic_depth, reader.intrinsic_color, rtol=0.1)
        for frame in reader:
            z = frame.depth() / reader.depth_shift
            if not np.isfinite(frame.camera_to_world).all() or not z.any():
                continue
            v, u = np.nonzero(z)
            z = z[v, u]
            local = np.stack([(u - cx) / fx * z, (v - cy) / fy * z, z, np.ones_like(z)])
            world = (frame.camera_to_world @ local)[:3].T
            nearest = tree.query(world)[1]
            offset = np.abs(((world - coord[nearest]) * normal[nearest]).sum(1))
            assert np.median(offset) < 0.012, frame.index
            towards = frame.camera_to_world[:3, 3] - coord[nearest]
            assert ((normal[nearest] * towards).sum(1) > 0).mean() > 0.9  # normals face the camera
            usable += 1
    assert usable >= 5


def test_bad_frames(root):
    for name in ("scene0000_00", "scene0002_00"):
        with SensReader(root / "scans" / name / f"{name}.sens") as reader:
            frames = list(reader)
        assert len(frames) == SMALL["frames"]
        lost = [f.index for f in frames if not np.isfinite(f.camera_to_world).all()]
        blank = [f.index for f in frames if not f.depth().any()]
        assert len(lost) == 1 and len(blank) == 1 and lost != blank
        assert all(np.isneginf(frames[i].camera_to_world).all() for i in lost)
        holes = np.mean([(f.depth() == 0).mean() for f in frames if f.index not in blank])
        assert 0.005 < holes < 0.4
        assert frames[0].color().std() > 10


def test_same_bytes_whatever_the_workers(root, tmp_path):
    generate_dataset(tmp_path, 2, 0, **SMALL, workers=2)
    made, wanted = bytes_of(tmp_path / "scans"), bytes_of(root / "scans")
    assert len(made) == 10 and made.items() <= wanted.items()


def test_resume_and_refusal(root, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    shutil.rmtree(copy / "scans" / "scene0001_00")
    half = copy / "scans" / ".scene0001_00.partial"  # as a killed run leaves it
    half.mkdir()
    (half / "rubbish").write_text("")
    assert generate_dataset(copy, 2, 1, **SMALL) == ["scene0001_00"]
    assert bytes_of(copy) == bytes_of(root)
    with pytest.raises(ValueError, match=r"synthetic\.json.*same settings"):
        generate_dataset(copy, 2, 1, **(SMALL | {"points": 7000}))
    with pytest.raises(ValueError, match="frames=3"):
        generate_dataset(tmp_path / "none", 1, 1, frames=3)


def test_class_sets():
    """Over 32 seeds: the number of classes, and every class in some rooms but not in all."""
    shares = []
    for seed in range(32):
        sets = [set(scene_classes(seed, index)[1]) for index in range(32)]
        assert all(CLASS_RANGE[0] <= len(names) <= CLASS_RANGE[1] for names in sets)
        shares.append([np.mean([name in names for names in sets]) for name in FREQUENCY])
    assert len(FREQUENCY) >= 14
    assert np.min(shares) >= 0.09 and np.max(shares) <= 0.75
    mean = np.mean(shares, 0)
    assert mean.min() > 0.2 and mean.max() < 0.6


def test_rooms_hold_their_classes_without_collisions():
    """Boxes meet only around chairs at tables, cloth at windows and tubs, things on a counter."""
    hosts = {"chair": "desk table", "curtain": "window", "shower curtain": "bathtub"}
    hosts["counter"] = "sink books"
    for index in range(16):
        room = make_room(0, index)
        classes = {RAW_CATEGORIES[model.label][2] for model in room.objects} & set(SCANNET20.names)
        wanted = {name.replace("refrig", "refridg") for name in scene_classes(0, index)[1]}
        assert classes == wanted | {"wall", "floor"}
        furniture = [model for model in room.objects if model.label not in ("wall", "floor")]
        boxes = {id(model): model.bounds() for model in furniture}
        for pair in combinations(furniture, 2):
            names = {RAW_CATEGORIES[model.label][2] for model in pair}
            if any(k in names and names & set(v.split()) for k, v in hosts.items()):
                continue
            low, high = np.stack([boxes[id(model)] for model in pair], 1)
            depth = (high.min(0) - low.max(0)).min()  # to which they run into one another
            assert depth < 0.05, (index, [model.label for model in pair])
        for model in furniture:
            low, high = boxes[id(model)]
            assert (low[:2] > -0.2).all() and (high < room.size + 0.2).all(), (index, model.label)
            assert low[2] > -0.02


def test_segments_stay_within_objects():
    room, mesh = mesh_of(5, 5000)
    assert abs(len(mesh.coord) - 5000) < 0.15 * 5000
    pairs = np.unique(np.column_stack([mesh.segment, mesh.object]), axis=0)
    assert len(pairs) == mesh.segment.max() + 1
    count = np.bincount(mesh.object, minlength=len(room.objects))
    assert count.min() > 0, [m.label for m, n in zip(room.objects, count, strict=True) if n == 0]


def test_color_alone_does_not_give_the_class():
    """A nearest-mean-color classifier on the very points that its means come from."""
    colors, labels = [], []
    for index in range(4):
        room, mesh = mesh_of(index, 2000)
        nyu40 = np.array([RAW_CATEGORIES[model.label][1] for model in room.objects])
        colors.append(mesh.color.astype(float))
        labels.append(nyu40_to_scannet20(nyu40[mesh.object]))
    color, label = np.concatenate(colors), np.concatenate(labels)
    present = np.unique(label[label >= 0])
    means = np.stack([color[label == c].mean(0) for c in present])
    guess = present[((color[:, None] - means) ** 2).sum(-1).argmin(1)]
    recall = [(guess[label == c] == c).mean() for c in present]
    assert len(present) >= 16
    assert np.mean(recall) < 0.2


def test_resample_keeps_the_surface():
    plane = np.array([[[0, 0, 0], [0, 1, 0]], [[2, 0, 1], [2, 1, 1]]], float)
    grid = resample(plane, 0.1)
    assert grid.shape == (23, 11, 3)  # 5 ** 0.5 m by 1 m
    np.testing.assert_allclose(grid[..., 2], grid[..., 0] / 2, atol=1e-12)
    np.testing.assert_array_equal(grid[[0, -1]][:, [0, -1]], plane)


def test_the_command_makes_the_sizes_that_it_is_told_and_fails_in_one_line(tmp_path):
    none = ["synthesize", "--num-train", 0, "--num-val", 0, "--out"]
    assert wsegpc(*none, tmp_path / "a", "--color-size", "48x36").exit_code == 0
    made = json.loads((tmp_path / "a/synthetic.json").read_text())
    assert made["color_size"] == [48, 36] and made["depth_size"] == [160, 120]
    assert wsegpc(*none, tmp_path / "c", "--edition", "small", "--points", 500).exit_code == 0
    made = json.loads((tmp_path / "c/synthetic.json").read_text())
    assert made == {**SIZES["small"].scans.record(), "points": 500}
    (tmp_path / "file").touch()
    for arguments in ([tmp_path / "file"], [tmp_path / "b", "--frames", 3]):
        result = wsegpc(*none, *arguments)
        assert result.exit_code == 1
        assert result.stderr.splitlines()[-1].startswith("synthesize: ")
