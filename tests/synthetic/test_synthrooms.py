"""SynthRooms: plain scans stay as they are, crowded rooms are what they claim, the check checks."""

import dataclasses
import functools
import hashlib
import json
import shutil

import numpy as np
import pytest
from cli import refused

from pointcept_wsegpc.captures.scannet.scene import ScanNetSettings
from pointcept_wsegpc.clouds.normals import face_normals
from pointcept_wsegpc.commands import synthrooms as synthrooms_command
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.scene import read_points
from pointcept_wsegpc.contracts.tags import read_scene_tags
from pointcept_wsegpc.synthetic import benchmark as synthrooms
from pointcept_wsegpc.synthetic import benchmark_check as synthrooms_check
from pointcept_wsegpc.synthetic import scans as synthetic
from pointcept_wsegpc.synthetic.rooms.difficulty import PLAIN, Difficulty
from pointcept_wsegpc.synthetic.rooms.placement import GAP
from pointcept_wsegpc.synthetic.rooms.pressing import pressed, recessed
from pointcept_wsegpc.synthetic.rooms.raw import CROWDED_CATEGORIES, RAW_CATEGORIES
from pointcept_wsegpc.synthetic.rooms.room import FREQUENCY, make_room, scene_classes
from pointcept_wsegpc.synthetic.rooms.shapes import Model, box, rotation_z
from pointcept_wsegpc.synthetic.rooms.surface import fuse, punch_holes

SCANNET20 = ClassTable.shipped("scannet20")

SMALL, LARGE = synthrooms.SIZES["small"], synthrooms.SIZES["large"]
CATEGORIES = RAW_CATEGORIES | CROWDED_CATEGORIES


def tiny(size, train=2, val=1):
    """A few scenes of a size with few points and frames."""
    scans = dataclasses.replace(
        size.scans, points=3000, frames=6, color_size=(48, 36), depth_size=(48, 36)
    )
    prepared = ScanNetSettings(stride=1, height=36, width=48)
    return dataclasses.replace(size, train=train, val=val, scans=scans, prepared=prepared)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Root and size of a tiny data set, without regions."""
    root, size = tmp_path_factory.mktemp("rooms") / "tiny", tiny(SMALL)
    assert synthrooms_command.make_scenes(root, size, workers=1).exit_status == 0
    return root, size


# ------------------------------------------------------------------------- what must not change


def geometry_hash(room):
    """Of objects, places and paints, rounded far above the last digits of sines."""
    digest = hashlib.sha256()
    for model in room.objects:
        digest.update(model.label.encode())
        arrays = [*model.patches, *(p.first for p in model.paints), *(p.wave for p in model.paints)]
        for array in arrays:
            digest.update((np.rint(np.asarray(array) * 1e5) + 0.0).astype("<i8").tobytes())
    return digest.hexdigest()[:16]


# Of rooms without difficulty. The bytes of a scan are the ray
# caster's and the image encoder's too, so a scan is tested by what it draws: see below.
PLAIN_ROOMS = ("51ff29459279508e", "36504e3c518ac644", "0e9979b623404fdf", "63c5388b7ea9f0f9")


@pytest.mark.parametrize(("index", "wanted"), enumerate(PLAIN_ROOMS))
def test_plain_rooms_stay_as_they_are(index, wanted):
    assert geometry_hash(make_room(0, index)) == wanted


# Of the first rooms of SynthRooms v1, and of the settings of its sizes: others are a new version.
BENCHMARK_ROOMS = {
    "small": ("3373ad16ceff5fa3", "447b3fe92eafa7cb", "82c3fce2c7af6b05", "0d1ba7c6c321be39"),
    "large": ("d977f54676b336ab", "5afd3fab97300718", "d1cff8f00f49b4b0", "f0562299ffb39afe"),
}
BENCHMARK_SETTINGS = {"small": "db9f754af88b8021", "large": "b69f8fadc7ce9efa"}


@pytest.mark.parametrize("size", synthrooms.SIZES.values(), ids=lambda s: s.name)
def test_rooms_of_the_benchmark_stay_as_they_are(size):
    wanted = BENCHMARK_ROOMS[size.name]
    room = crowded if size is LARGE else size.scans.room
    assert tuple(geometry_hash(room(index)) for index in range(len(wanted))) == wanted


@pytest.mark.parametrize("size", synthrooms.SIZES.values(), ids=lambda s: s.name)
def test_settings_of_the_benchmark_stay_as_they_are(size):
    """Version, seed, counts, how rooms are scanned; which frames are prepared, at which size."""
    prepared = [size.prepared.stride, size.prepared.height, size.prepared.width]
    settings = json.dumps([size.record(), prepared], sort_keys=True)
    digest = hashlib.sha256(settings.encode()).hexdigest()[:16]
    assert digest == BENCHMARK_SETTINGS[size.name], settings


def test_plain_scans_know_nothing_of_difficulty(tmp_path):
    assert synthetic.SynthesisSettings(difficulty=Difficulty()) == synthetic.SynthesisSettings()
    synthetic.generate_dataset(tmp_path, 0, 0)
    assert "difficulty" not in json.loads((tmp_path / "synthetic.json").read_text())
    assert "floor mat" not in (tmp_path / "scannetv2-labels.combined.tsv").read_text()
    with pytest.raises(ValueError, match="same settings"):
        synthetic.generate_dataset(tmp_path, 0, 0, difficulty=synthrooms.CROWDED)


def test_a_plain_scan_draws_what_it_drew():
    """Everything random of a scan comes from one generator: its end state tells of every draw."""
    rng = np.random.default_rng([0, 2, 0])
    room = make_room(0, 0)
    caster = synthetic.RoomCaster(room, synthetic.Light.random(rng, room.size))
    poses = synthetic.hand_held_path(room, 8, rng)
    draws = rng.bit_generator.state["state"]["state"]
    mesh = synthetic.scan_mesh(room, caster, poses, 500, rng)
    expected = np.random.default_rng([0, 2, 0])
    expected.bit_generator.state = {
        **expected.bit_generator.state,
        "state": {**expected.bit_generator.state["state"], "state": draws},
    }
    expected.normal(0, 0.03, mesh.coord.shape)  # colors
    expected.normal(size=(3, 6)), expected.uniform(size=6)  # waviness
    expected.normal(size=mesh.coord.shape), expected.normal(size=mesh.coord.shape)  # shift, noise
    assert rng.random() == expected.random()


# ----------------------------------------------------------------------------- crowded rooms


@functools.cache
def crowded(index):
    return LARGE.scans.room(index)


def test_crowded_rooms_keep_their_classes():
    """Clutter, rugs and leaning things bring no class into a room."""
    for index in range(4):
        found = {CATEGORIES[m.label][2] for m in crowded(index).objects} & set(SCANNET20.names)
        wanted = {n.replace("refrig", "refridg") for n in scene_classes(LARGE.scans.seed, index)[1]}
        assert found == wanted | {"wall", "floor"}


def test_crowded_rooms_are_crowded():
    plain = [make_room(LARGE.scans.seed, index) for index in range(4)]
    rooms = [crowded(index) for index in range(4)]
    assert sum(len(r.objects) for r in rooms) > 1.1 * sum(len(r.objects) for r in plain)
    assert any(model.label == "rug" for room in rooms for model in room.objects)

    def contacts(room):
        """Pairs of boxes closer than the gap that is kept in plain rooms."""
        boxes = np.array([m.bounds() for m in room.objects if m.label not in ("wall", "floor")])
        low, high = boxes[:, 0], boxes[:, 1]
        apart = np.maximum(low[:, None] - high, low - high[:, None]).max(-1)
        return (np.abs(apart) < GAP / 2).sum() // 2

    assert sum(map(contacts, rooms)) > sum(map(contacts, plain)) + len(rooms)


@pytest.mark.parametrize("size", synthrooms.SIZES.values(), ids=lambda s: s.name)
def test_every_class_occurs_in_both_splits_and_lacks_in_some(size):
    scans, every = size.scans, range(size.train + size.val)
    low, high = count = scans.classes_per_room
    rooms = [set(scene_classes(scans.seed, i, scans.classes, count)[1]) for i in every]
    assert all(low <= len(found) <= high for found in rooms)
    for sets in (rooms[: size.train], rooms[size.train :]):
        for name in scans.classes or FREQUENCY:
            assert 2 <= sum(name in found for found in sets) <= 0.75 * len(sets), name


def test_unknown_class():
    with pytest.raises(ValueError, match="no 'piano'; classes: bed, "):
        scene_classes(0, 0, ["bed", "piano"])


# ---------------------------------------------------------------------------------- its parts


def furniture(label, size, position, yaw=0.0):
    (w, d, h), model = size, Model(label)
    model.patches = box((-w / 2, 0, 0), (w / 2, d, h))
    return model.placed(position, yaw)


@pytest.mark.parametrize("side", range(4))
def test_pressing(side):
    """On every wall: back to it, against the neighbour, level and flush with it."""
    room, turn = np.array([5.0, 5.0, 2.5]), rotation_z(side * np.pi / 2)
    corner = np.array([(0, 0, 0), (5, 0, 0), (5, 5, 0), (0, 5, 0)][side], float)

    def put(label, size, x, gap):
        return furniture(label, size, corner + turn @ (x, gap, 0), side * np.pi / 2)

    neighbour = put("cabinet", (1.0, 0.5, 0.9), 1.0, 0.0)
    model = put("desk", (1.0, 0.6, 0.75), 2.5, 0.04)
    result = pressed(model, [(neighbour.bounds(), neighbour)], room)
    both = [np.sort((m.bounds() - corner) @ turn, 0) for m in (neighbour, result)]
    np.testing.assert_allclose(both[1][0], [1.5, 0, 0], atol=1e-9)
    np.testing.assert_allclose(both[1][1], [2.5, 0.5, 0.9], atol=1e-9)
    far = put("desk", (1.0, 0.6, 0.75), 3.8, 0.04)
    moved = pressed(far, [(neighbour.bounds(), neighbour)], room)
    x = np.sort((moved.bounds() - corner) @ turn, 0)[:, 0]
    np.testing.assert_allclose(x, [4.0, 5.0], atol=1e-9)  # the wall is nearer


@pytest.mark.parametrize("side", range(4))
def test_recessed(side):
    turn = rotation_z(side * np.pi / 2)
    model = furniture("refrigerator", (0.7, 0.6, 1.7), turn @ (1, 0.04, 0), side * np.pi / 2)
    own = np.sort(recessed(model, 0.05).bounds() @ turn, 0)
    np.testing.assert_allclose(own, [[0.65, -0.51, 0], [1.35, 0.09, 1.7]], atol=1e-9)


def test_stretched():
    model = furniture("desk", (2.0, 1.0, 0.7), (1, 2, 0), 0.4)
    model.top, model.opening = np.array([[-1, 0, 0.7], [1, 1, 0.7]]), (-1.0, 1.0, 0.0, 2.0, 0.1)
    taller = model.stretched((0.5, 1, 2))
    own = taller.in_own_frame()
    np.testing.assert_allclose(own.bounds(), [[-0.5, 0, 0], [0.5, 1, 1.4]], atol=1e-9)
    np.testing.assert_allclose(taller.top[:, 2], 1.4)
    np.testing.assert_allclose(taller.opening, (-0.5, 0.5, 0, 4, 0.1))
    assert taller.yaw == model.yaw and (taller.position == model.position).all()


def test_fusion_against_a_slow_mean():
    rng = np.random.default_rng(0)
    coord, color = rng.random((60, 3)), rng.random((60, 3))
    near = np.linalg.norm(coord[:, None] - coord, axis=-1) <= 0.2
    new_coord, new_color = fuse(coord, color, 0.2)
    for i, members in enumerate(near):
        np.testing.assert_allclose(new_coord[i], coord[members].mean(0))
        np.testing.assert_allclose(new_color[i], color[members].mean(0))
    np.testing.assert_array_equal(fuse(coord, color, 1e-9)[0], coord)


def test_holes():
    grid = np.stack(np.meshgrid(np.arange(50), np.arange(50), [0]), -1).reshape(-1, 3) * 0.1
    index = np.arange(2500).reshape(50, 50)
    faces = np.stack([index[:-1, :-1], index[1:, :-1], index[1:, 1:]], -1).reshape(-1, 3)
    assert face_normals(grid, faces)[0].any()
    left = punch_holes(grid, faces, 20.0, np.random.default_rng(0))
    assert 0.5 * len(faces) < len(left) < len(faces)
    assert {tuple(f) for f in left} < {tuple(f) for f in faces}


# -------------------------------------------------------------------------------- the data set


def test_made_scenes_are_prepared_scenes(made):
    root, size = made
    scenes = synthrooms.scenes(root, size)
    assert list(scenes) == ["train/scene0000_00", "train/scene0001_00", "val/scene0002_00"]
    tags = read_scene_tags(root / "scene_tags.json")
    for scene in scenes.values():
        points = read_points(scene.folder, ("coord", "segment20"))
        assert 2000 < len(points["coord"]) < 4000
        assert set(tags[scene.name]) <= set(SCANNET20.names) and "floor" in tags[scene.name]
        assert not scene.raw.exists()  # small on disk
    assert json.loads((root / synthrooms.NOTE).read_text())["version"] == synthrooms.VERSION


def test_an_interruption_changes_nothing(made, tmp_path):
    """A scene that is missing, and rubbish of a killed run."""
    root, size = made
    copy = shutil.copytree(root, tmp_path / "copy")
    scene = synthrooms.scenes(copy, size)["train/scene0001_00"]
    shutil.rmtree(scene.folder)
    (scene.raw / "scans" / scene.name).mkdir(parents=True)
    outcome = synthrooms_command.make_scenes(copy, size, workers=1)
    assert len(outcome.skipped) == 2 and len(outcome.done) == 1
    assert synthrooms_check.checksum(copy, size) == synthrooms_check.checksum(root, size)


def test_another_size_is_refused(made):
    root, size = made
    synthrooms.claim(root, size)
    with pytest.raises(ValueError, match="choose another folder"):
        synthrooms.claim(root, tiny(LARGE))


def verify(made, monkeypatch, **published):
    root, size = made
    checksum, census = synthrooms_check.checksum(root, size), synthrooms_check.census(root, size)
    found = {"checksum": checksum, "census": census, **published}
    monkeypatch.setattr(synthrooms_check, "PUBLISHED", {size.name: found})
    return synthrooms_check.verify(root, size)


def test_what_differs_from_the_published_is_told(made, monkeypatch):
    root, size = made
    assert "as published" in verify(made, monkeypatch)
    assert "0" * 16 in verify(made, monkeypatch, checksum="0" * 16)
    census = synthrooms_check.census(root, size)
    points = [len(read_points(s.folder, ("coord",))["coord"]) for s in scenes_of(made)]
    assert sum(sum(counts[:-1]) for counts in census.values()) == sum(points)
    census["val"][1] = int(1.05 * census["val"][1]) + 21
    with pytest.raises(ValueError, match="another data set"):
        verify(made, monkeypatch, checksum="0" * 16, census=census)
    with pytest.raises(ValueError, match="val/scene0003_00"):
        synthrooms_check.verify(root, dataclasses.replace(size, val=2))
    monkeypatch.setattr(synthrooms_check, "PUBLISHED", {})
    assert "none is published" in synthrooms_check.verify(root, size)


def scenes_of(made):
    return list(synthrooms.scenes(*made).values())


def test_only_every_second_scene_is_checked(made, tmp_path, monkeypatch):
    root, size = made
    monkeypatch.setattr(synthrooms_check, "EVERY", {size.name: 2})
    names = list(synthrooms_check.checked(root, size))
    assert names == ["train/scene0000_00", "val/scene0002_00"]
    assert "(2 of 3 scenes): checksum" in verify(made, monkeypatch)
    other, checksums = shutil.copytree(root, tmp_path / "other"), []
    for name in ("train/scene0001_00", "train/scene0000_00"):
        path = other / name / "segment20.npy"
        np.save(path, np.roll(np.load(path), 1))
        checksums.append(synthrooms_check.checksum(other, size))
    assert checksums[0] == synthrooms_check.checksum(root, size) != checksums[1]


def test_a_changed_array_is_seen(made, tmp_path):
    scene = scenes_of(made)[-1]
    copy = synthrooms.scenes(tmp_path, made[1])["val/scene0002_00"]
    shutil.copytree(scene.folder, copy.folder)
    digests = [synthrooms_check.scene_digest(copy)]
    for key in ("coord", "color", "segment20"):
        array = np.load(copy.folder / f"{key}.npy")
        array[len(array) // 2] += 1
        np.save(copy.folder / f"{key}.npy", array)
        digests.append(synthrooms_check.scene_digest(copy))
    assert len(set(digests)) == 4 and digests[0] == synthrooms_check.scene_digest(scene)


@pytest.mark.slow
def test_large_in_a_few_points(tmp_path, monkeypatch):
    """The definition of the large size makes scenes: one of each split, thinned."""
    monkeypatch.setattr(synthrooms_check, "PUBLISHED", {})
    size = tiny(LARGE, train=1, val=1)
    assert synthrooms_command.make_scenes(tmp_path, size, workers=1).exit_status == 0
    assert synthrooms_command.partition(tmp_path, size, workers=1).exit_status == 0
    assert "v1 large" in synthrooms_check.verify(tmp_path, size)
    assert size.scans.difficulty != PLAIN


def test_the_command_line_refuses_in_one_line(tmp_path):
    line = refused("synthrooms", "--out", tmp_path, "--check-only")
    assert "80 scenes missing, such as train/scene0000_00" in line
