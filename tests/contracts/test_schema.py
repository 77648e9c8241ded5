"""The on-disk contracts: what is written is read back, and every misfit gets its line."""

import os
import stat

import numpy as np
import pytest
from errors import assert_error
from PIL import Image

from pointcept_wsegpc.captures.base import CAPTURES, Capture
from pointcept_wsegpc.captures.preparing import find_captures
from pointcept_wsegpc.captures.scannet.raw import NYU40_IDS, nyu40_to_scannet20
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.scene import (
    SCENE_LAYOUT,
    read_points,
    read_region,
    scene_dirs,
    scenes_by_key,
)
from pointcept_wsegpc.contracts.tags import (
    assemble_tags,
    read_scene_tags,
    tag_vector,
    write_scene_tags,
)
from pointcept_wsegpc.contracts.views import (
    Views,
    read_view_image,
    read_views,
    view_path,
    write_view_image,
    write_views,
)
from pointcept_wsegpc.files import atomic_path, write_array, write_json
from pointcept_wsegpc.visualize.colors import palette

SCANNET20 = ClassTable.shipped("scannet20")

POINTS = {
    "coord": np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32),
    "color": np.arange(21, dtype=np.uint8).reshape(7, 3),
    "normal": np.ones((7, 3), np.float32),
}


def make_scene(root, split="train", name="a", **arrays):
    scene = root / split / name
    for key, array in {**POINTS, **arrays}.items():
        write_array(scene / f"{key}.npy", array)
    return scene


def make_views(**changes):
    fields = {
        "frame": np.array([0, 20]),
        "intrinsic": np.arange(18.0).reshape(2, 3, 3),
        "world_to_camera": np.arange(32.0).reshape(2, 4, 4),
        "size": (4, 6),
        "axis_alignment": np.diag([1.0, 2, 3, 1]),
    }
    return Views(**{**fields, **changes})


# ---------------------------------------------------------------------------------- files


def test_atomic_path_replaces_on_success_and_leaves_no_trace_on_failure(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    with atomic_path(path) as temporary:
        with open(temporary, "w") as file:
            file.write("first")
        assert not path.exists() and temporary.endswith(".txt")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        with open(temporary, "w") as file:
            file.write("half")
        raise RuntimeError
    assert path.read_text() == "first" and os.listdir(path.parent) == ["file.txt"]


def test_files_can_be_read_by_whom_the_umask_allows(tmp_path):
    umask = os.umask(0o027)
    try:
        write_json(tmp_path / "x.json", {})
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "x.json").stat().st_mode) == 0o640


def test_writing_does_not_change_a_hard_linked_original(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(3))
    os.link(tmp_path / "a.npy", tmp_path / "b.npy")
    write_array(tmp_path / "b.npy", np.arange(5))
    assert len(np.load(tmp_path / "a.npy")) == 3 and len(np.load(tmp_path / "b.npy")) == 5


# --------------------------------------------------------------------------------- scenes


def test_scene_dirs(tmp_path):
    for split, name in (("train", "b"), ("train", "a"), ("val", "c")):
        make_scene(tmp_path, split, name)
    make_scene(tmp_path / ".partial", "train", "half")
    (tmp_path / "train" / "empty").mkdir()
    assert [p.name for p in scene_dirs(tmp_path, "train")] == ["a", "b"]
    assert [p.name for p in scene_dirs(str(tmp_path), ["train", "val"])] == ["a", "b", "c"]
    with pytest.raises(FileNotFoundError) as error:
        scene_dirs(tmp_path / "x" / "..", ["test"])
    for part in (str(tmp_path), "test", SCENE_LAYOUT, "wsegpc prepare scannet"):
        assert part in str(error.value)


def test_scenes_of_two_splits_that_share_a_key_are_refused(tmp_path):
    scenes = [make_scene(tmp_path, "train", "08/a"), make_scene(tmp_path, "val", "a")]
    assert scenes_by_key(scenes, tmp_path) == {"08/a": scenes[0], "a": scenes[1]}
    for scene in (*scenes, make_scene(tmp_path, "val", "08/a")):
        write_json(scene / "manifest.json", {"tags": []})
    with assert_error(ValueError, tmp_path / "train/08/a", tmp_path / "val/08/a", "rename"):
        assemble_tags(tmp_path)
    assert not (tmp_path / "scene_tags.json").exists()
    with assert_error(ValueError, "'08/a'"):
        scenes_by_key(scene_dirs(tmp_path), tmp_path)


def test_captures_that_would_share_a_key_are_refused(tmp_path, monkeypatch):
    """Before any of them is prepared."""

    class Twins(Capture):
        @classmethod
        def find(cls, raw, root, settings):
            return [cls("a", split, root) for split in ("train", "val")]

    monkeypatch.setattr(CAPTURES, "_entries", {"twins": (Twins, {})})
    with assert_error(ValueError, "out/train/a", "out/val/a", "rename"):
        find_captures("twins", tmp_path / "raw", tmp_path / "out")


def test_points(tmp_path):
    scene = make_scene(tmp_path, segment20=np.arange(7))
    points = read_points(scene, ("coord", "segment20"))
    assert set(points) == {"coord", "segment20"}
    assert (points["coord"] == POINTS["coord"]).all()
    write_array(scene / "color.npy", np.zeros((6, 3), np.uint8))
    with pytest.raises(ValueError, match=r"differ in length: .*'coord': 7, 'color': 6"):
        read_points(scene)
    normal = np.ones((7, 3), np.float32)
    normal[[2, 2, 5], [0, 1, 2]] = np.nan, np.inf, np.inf
    write_array(scene / "normal.npy", normal)
    with pytest.raises(ValueError, match=r"normal\.npy: normal .* at 2 of 7 points.*prepare"):
        read_points(scene, ("coord", "normal"))
    (scene / "normal.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"normal\.npy is missing"):
        read_points(scene)


def test_region(tmp_path):
    scene = make_scene(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"wsegpc regions"):
        read_region(scene, 7)
    write_array(scene / "region.npy", np.array([[0], [1], [-1]], np.int32))
    assert read_region(scene, 3).tolist() == [0, 1, -1]
    with pytest.raises(ValueError, match="has 3 ids, the scene 7 points"):
        read_region(scene, 7)


# ---------------------------------------------------------------------------------- views


def test_views_round_trip(tmp_path):
    views = make_views()
    write_views(tmp_path, views)
    stored = read_views(tmp_path)
    assert len(stored) == 2 and stored.size.tolist() == [[4, 6]] * 2
    for name in ("frame", "intrinsic", "world_to_camera", "axis_alignment"):
        array = getattr(stored, name)
        assert array.dtype == (np.int64 if name == "frame" else np.float64)
        assert (array == getattr(views, name)).all()
    with pytest.raises(FileNotFoundError, match=r"views\.npz is missing"):
        read_views(tmp_path / "other")


def test_views_of_different_sizes(tmp_path):
    write_views(tmp_path, make_views(size=[(4, 6), (9, 3)]))
    assert read_views(tmp_path).size.tolist() == [[4, 6], [9, 3]]
    none = {"frame": [], "intrinsic": np.empty((0, 3, 3)), "world_to_camera": np.empty((0, 4, 4))}
    write_views(tmp_path, make_views(**none))
    assert read_views(tmp_path).size.shape == (0, 2)
    with pytest.raises(ValueError):
        make_views(size=[(4, 6)] * 3)


def test_views_of_one_stored_size_are_to_be_upgraded(tmp_path):
    write_views(tmp_path, make_views())
    with np.load(tmp_path / "views.npz") as stored:
        arrays = {**stored, "size": np.array([4, 6])}
    np.savez(tmp_path / "views.npz", **arrays)
    with pytest.raises(ValueError, match=r"views\.npz has a size of shape \(2,\).*wsegpc upgrade"):
        read_views(tmp_path)


def test_view_images_round_trip(tmp_path):
    rng = np.random.default_rng(0)
    depth = rng.uniform(0.1, 9, (4, 6))
    depth[0, :3] = 0, 70.0, 65.534
    write_view_image(tmp_path, 3, "depth", depth)
    stored = read_view_image(tmp_path, 3, "depth", (4, 6))
    assert stored.dtype == np.float32
    assert stored[0, :3].tolist() == [0, 0, np.float32(65.534)]  # 70 m does not fit 16 bits
    assert np.allclose(stored[1:], depth[1:], atol=0.00051)
    for kind in ("region", "label"):
        ids = rng.integers(-1, 60000, (4, 6))
        write_view_image(tmp_path, 3, kind, ids)
        stored = read_view_image(tmp_path, 3, kind, (4, 6))
        assert stored.dtype == np.int32 and (stored == ids).all()
    color = np.full((4, 6, 3), (10, 200, 90), np.uint8)
    write_view_image(tmp_path, 3, "color", color)
    stored = read_view_image(tmp_path, 3, "color", (4, 6))
    assert stored.dtype == np.uint8 and np.abs(stored.astype(int) - color).max() < 6
    assert sorted(os.listdir(tmp_path / "views")) == [
        "000003.depth.png",
        "000003.jpg",
        "000003.label.png",
        "000003.region.png",
    ]


@pytest.mark.parametrize("dtype", ["i2", "u2", "i4", "u4", "i8"])
@pytest.mark.parametrize("kind", ["region", "label"])
def test_ids_of_any_integer_type(tmp_path, kind, dtype):
    """From numpy 2.5 on, 65535 is an error beside an array of int16, as -1 is beside unsigned."""
    ids = np.array([[0, 7], [-1 if dtype[0] == "i" else 2, 9]]).astype(dtype)
    write_view_image(tmp_path, 2, kind, ids)
    assert (read_view_image(tmp_path, 2, kind) == ids).all()


@pytest.mark.parametrize("kind", ["region", "label"])
def test_ids_that_16_bits_do_not_hold(tmp_path, kind):
    ids = np.array([[0, 65534], [-1, 7]])
    write_view_image(tmp_path, 2, kind, ids)
    assert (read_view_image(tmp_path, 2, kind) == ids).all()
    for too_many in (65535, 65536, 70000):
        ids[0, 0] = too_many
        message = f"{kind} image of view 2 has the id {too_many}; 16 bits hold up to 65534"
        with pytest.raises(ValueError, match=message):
            write_view_image(tmp_path, 2, kind, ids)
    assert (read_view_image(tmp_path, 2, kind)[0] == [0, 65534]).all()


@pytest.mark.parametrize("kind", ["depth", "region", "label"])
def test_view_images_that_do_not_fit(tmp_path, kind):
    write_view_image(tmp_path, 1, kind, np.ones((4, 6)))
    with pytest.raises(ValueError, match=r"is \(4, 6\), views\.npz says \(4, 5\)"):
        read_view_image(tmp_path, 1, kind, (4, 5))
    Image.fromarray(np.ones((4, 6), np.uint8)).save(view_path(tmp_path, 1, kind))
    with pytest.raises(ValueError, match="8 bits per pixel; expected 16"):
        read_view_image(tmp_path, 1, kind, (4, 6))
    with pytest.raises(FileNotFoundError):
        read_view_image(tmp_path, 2, kind)


# ----------------------------------------------------------------------------------- tags


def test_tags_round_trip(tmp_path):
    path = tmp_path / "scene_tags.json"
    write_scene_tags(path, {"b": ("bed",), "a": []})
    assert list(read_scene_tags(path).items()) == [("a", []), ("b", ["bed"])]
    with pytest.raises(FileNotFoundError, match=r"other\.json is missing; expected JSON"):
        read_scene_tags(tmp_path / "other.json")
    for wrong in (["bed"], {"a": "bed"}):
        write_json(path, wrong)
        with pytest.raises(ValueError, match=r"expected \{scene:"):
            read_scene_tags(path)


def test_tag_vector():
    table = ClassTable(["wall", "floor", "bed"], synonyms={"bed": ["bunk"]})
    assert tag_vector(["bunk", "Wall", "bed"], table).tolist() == [1, 0, 1]
    assert tag_vector([], table).tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="'sofa' is no class; the class table has wall, floor"):
        tag_vector(["bed", "sofa"], table)


# --------------------------------------------------------------------------- class tables


def test_scannet_classes():
    assert list(NYU40_IDS) == [*range(1, 13), 14, 16, 24, 28, 33, 34, 36, 39]
    assert len(SCANNET20.names) == 20
    ids = np.array([[0, 1, 13], [39, 50, 149], [40, 999, -5]])
    mapped = nyu40_to_scannet20(ids)
    assert mapped.dtype == np.int16
    assert mapped.tolist() == [[-1, 0, -1], [19, -1, -1], [-1, -1, -1]]
    assert nyu40_to_scannet20(np.array([], np.uint16)).shape == (0,)


def test_palette_has_distinct_colors():
    colors = palette(20)
    assert colors.shape == (21, 3) and colors.dtype == np.uint8
    distance = np.linalg.norm(colors[:, None].astype(int) - colors[None], axis=-1)
    assert distance[~np.eye(21, dtype=bool)].min() > 20
