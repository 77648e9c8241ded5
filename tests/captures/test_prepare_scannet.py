"""Raw ScanNet -> prepared scene, on captures whose every depth is known (raw_scan.py)."""

import multiprocessing
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import raw_scan
from PIL import Image
from scene_views import cameras_of

from pointcept_wsegpc import camera
from pointcept_wsegpc import files as file_tools
from pointcept_wsegpc.captures import frames
from pointcept_wsegpc.captures.preparing import find_captures, prepare
from pointcept_wsegpc.captures.scannet import scene as scannet
from pointcept_wsegpc.captures.scannet.labels import LabelMap
from pointcept_wsegpc.captures.scannet.scene import ScanNetCapture, ScanNetSettings
from pointcept_wsegpc.clouds.ply import read_mesh
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.prepared import is_prepared
from pointcept_wsegpc.contracts.scene import read_points, scene_dirs
from pointcept_wsegpc.contracts.tags import (
    assemble_tags,
    derive_tags,
    read_scene_tags,
    write_scene_tags,
)
from pointcept_wsegpc.contracts.views import read_view_image, read_views
from pointcept_wsegpc.files import read_json, write_json

SCANNET20 = ClassTable.shipped("scannet20")

SETTINGS = ScanNetSettings(stride=2, height=24, width=32)
CLASS = {raw_scan.FLOOR: SCANNET20.names.index("floor"), raw_scan.WALL: 0, -1: -1}
NAME = "scene0000_00"


def capture_of(tmp_path, name=NAME, split="train", **options):
    raw = tmp_path / "raw"
    raw_scan.write_lists(raw, **{split: [name]})
    folder = raw_scan.write_scan(raw, name, **options)
    return ScanNetCapture(name, split, tmp_path / "out", folder)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """(capture, manifest) of one good scene."""
    capture = capture_of(tmp_path_factory.mktemp("prepared"))
    return capture, prepare(capture, SETTINGS)


# --------------------------------------------------------------------------- what is written


def test_points_have_pointcepts_layout(prepared):
    capture, manifest = prepared
    coord, surface, _ = raw_scan.room()
    points = read_points(capture.target, ("coord", "color", "normal", "segment20", "instance"))
    layout = {key: (array.dtype.name, array.shape) for key, array in points.items()}
    n = len(coord)
    assert layout == {
        "coord": ("float32", (n, 3)),
        "color": ("uint8", (n, 3)),
        "normal": ("float32", (n, 3)),
        "segment20": ("int64", (n,)),
        "instance": ("int64", (n,)),
    }
    assert np.allclose(points["coord"], coord)
    assert (points["color"] == raw_scan.color_of(surface)).all()
    expected = np.where(surface == raw_scan.FLOOR, CLASS[raw_scan.FLOOR], 0)
    expected[:3] = -1  # in no annotated object
    assert (points["segment20"] == expected).all()
    instance = np.where(surface == raw_scan.FLOOR, 4, 5)
    instance[:3] = -1
    assert (points["instance"] == instance).all()
    axis = np.where(surface == raw_scan.FLOOR, 2, 1)
    assert np.allclose(np.abs(points["normal"][np.arange(n), axis]), 1)
    assert manifest["num_points"] == n and manifest["tags"] == ["wall", "floor"]


def test_views_name_the_kept_frames_and_their_cameras(prepared):
    capture, manifest = prepared
    views = read_views(capture.target)
    assert views.frame.tolist() == [0, 2, 4, 6] and (views.size == (24, 32)).all()
    assert manifest["num_views"] == 4 and manifest["frames"]["read"] == 4
    for frame, world_to_camera in zip(views.frame, views.world_to_camera, strict=True):
        assert np.allclose(world_to_camera @ raw_scan.pose(frame), np.eye(4), atol=1e-6)
    fx, cx, cy = 60 / 2, (31.2 + 0.5) / 2 - 0.5, (23.9 + 0.5) / 2 - 0.5
    assert np.allclose(views.intrinsic[0, 0], [fx, 0, cx])
    assert np.allclose(views.intrinsic[3, 1], [0, 61 / 2, cy])
    alignment = [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]
    assert views.axis_alignment.tolist() == alignment


def test_points_and_depth_agree(prepared):
    """The prepared points lie where the prepared depth sees them, in every view."""
    capture, _ = prepared
    coord = read_points(capture.target)["coord"]
    for _, intrinsic, pose, depth in cameras_of(capture.target):
        uv, z = camera.project(coord, intrinsic, pose)
        col, row = np.rint(uv).astype(int).T
        inside = (z > 0) & (row >= 0) & (row < 24) & (col >= 0) & (col < 32)
        assert np.median(np.abs(depth[row[inside], col[inside]] - z[inside])) < 0.03
        points = camera.back_project(depth, intrinsic, np.linalg.inv(pose))[depth > 0]
        off_surface = np.minimum(np.abs(points[:, 2]), np.abs(points[:, 1] - 3))
        assert np.median(off_surface) < 0.02


def assert_surfaces_match(surface, intrinsic, frame):
    """surface (24, 32) against ray casting; one row where floor meets wall may differ."""
    _, expected = raw_scan.render(intrinsic, (24, 32), raw_scan.pose(frame))
    assert (surface == expected).mean() > 0.95
    assert {raw_scan.FLOOR, raw_scan.WALL} <= set(np.unique(expected))


def labeled_surface(scene, frame):
    label = read_view_image(scene, frame, "label", (24, 32))
    return np.select([label == CLASS[raw_scan.FLOOR], label == 0], [0, 1], -1)


def test_color_and_rendered_labels_lie_on_the_depth_grid(prepared):
    capture, manifest = prepared
    assert manifest["view_labels"] == "rendered"
    for frame, intrinsic, _, depth in cameras_of(capture.target):
        color = read_view_image(capture.target, frame, "color", (24, 32)).astype(int)
        surface = np.select([color[..., 1] > 128, color[..., 0] > 128], [1, 0], -1)
        assert_surfaces_match(surface, intrinsic, frame)
        surface = labeled_surface(capture.target, frame)
        assert_surfaces_match(surface, intrinsic, frame)
        assert (surface[depth == 0] == -1).all()


@pytest.mark.parametrize("zipped", [True, False])
def test_label_filt_is_mapped_from_scannet_ids(tmp_path, zipped):
    capture = capture_of(tmp_path)
    folder = capture.folder / "label-filt"
    folder.mkdir()
    for frame in (0, 2, 6):  # 4 is missing
        _, surface = raw_scan.render(
            raw_scan.COLOR_INTRINSIC, raw_scan.COLOR_SIZE, raw_scan.pose(frame)
        )
        ids = np.select([surface == 0, surface == 1], [700, 701], 702).astype(np.uint16)
        Image.fromarray(ids).save(folder / f"{frame}.png")
    if zipped:
        archive = capture.folder / f"{NAME}_2d-label-filt"
        shutil.make_archive(archive, "zip", capture.folder, "label-filt")
        shutil.rmtree(folder)
    manifest = prepare(capture, SETTINGS)
    assert manifest["view_labels"] == "label-filt" and manifest["unlabelled"] == [4]
    for frame, intrinsic, *_ in cameras_of(capture.target):
        if frame == 4:
            assert (read_view_image(capture.target, frame, "label") == -1).all()
        else:
            assert_surfaces_match(labeled_surface(capture.target, frame), intrinsic, frame)


def test_a_test_scene_has_no_labels(tmp_path):
    capture = capture_of(tmp_path, split="test", labels=False)
    (capture.folder / f"{NAME}.txt").write_text("sceneType = x\n")
    manifest = prepare(capture, SETTINGS)
    assert manifest["tags"] is None and manifest["view_labels"] is None
    assert not list(capture.target.rglob("*.label.png")) + list(capture.target.glob("seg*"))
    assert (read_views(capture.target).axis_alignment == np.eye(4)).all()
    assert assemble_tags(capture.root)[1] == 0 and not (capture.root / "scene_tags.json").exists()


# -------------------------------------------------------------------------------- the pieces


def test_label_map_takes_the_first_of_duplicates(tmp_path):
    (tmp_path / "map.tsv").write_text(raw_scan.TSV + "703\tempty\tx\t1\t\n")
    label_map = LabelMap.read(tmp_path / "map.tsv")
    assert label_map.by_category == {"floor": 2, "wall": 1, "paper": 50, "empty": 0}
    ids = np.array([[700, 701], [702, 9999], [703, 0]], np.uint16)
    assert label_map.class_of_id(ids).tolist() == [[1, 0], [-1, -1], [-1, -1]]


def test_derive_tags():
    assert derive_tags(None, SCANNET20.names) is None
    assert derive_tags(np.array([-1, -1]), SCANNET20.names) == []
    segment = np.array([-1, 0, 19, 19])
    assert derive_tags(segment, SCANNET20.names) == ["wall", "otherfurniture"]
    assert derive_tags(segment, SCANNET20.names, min_points=2) == ["otherfurniture"]
    with pytest.raises(ValueError, match=r"label 20 outside 0\.\.19"):
        derive_tags(np.array([20]), SCANNET20.names)


# --------------------------------------------------------------------------------- bad input


def spoil_pose(frame):
    frame.camera_to_world = np.full((4, 4), -np.inf)


def spoil_pose_scale(frame):
    frame.camera_to_world = frame.camera_to_world * 0


def packed_depth(depth):
    """Function that gives a frame this depth image."""
    color = np.zeros((1, 1, 3), np.uint8)

    def spoil(frame):
        packed = raw_scan.pack_frame(frame.header, 0, np.eye(4), color, depth.astype(np.uint16))
        frame.depth_data = packed.depth_data

    return spoil


blank_depth = packed_depth(np.zeros((48, 64)))


def junk_depth(frame):
    frame.depth_data = b"no zlib"


def junk_color(frame):
    frame.color_data = b"no jpeg"


SPOILED = {
    0: spoil_pose,
    1: blank_depth,
    2: packed_depth(np.ones((24, 64))),  # half as long, as 8 bits would be
    3: junk_depth,
    4: junk_color,
    6: spoil_pose_scale,
}


def test_bad_frames_are_left_out_and_listed(tmp_path):
    capture = capture_of(tmp_path, bad=SPOILED)
    manifest = prepare(capture, ScanNetSettings(stride=1, height=24, width=32))
    assert read_views(capture.target).frame.tolist() == [5, 7]
    assert manifest["frames"] == {
        "read": 8,
        "bad": {
            "non-finite pose": [0],
            "blank depth": [1],
            "unreadable depth image": [2, 3],
            "unreadable color image": [4],
            "non-rigid pose": [6],
        },
        "truncated": None,
    }
    assert len(list((capture.target / "views").iterdir())) == 2 * 3


def test_a_scene_without_a_valid_frame_fails_in_one_line(tmp_path):
    capture = capture_of(tmp_path, num_frames=3, bad=dict.fromkeys(range(3), spoil_pose))
    expected = rf"{NAME}.sens has no valid frame \(2 read, 2 with non-finite pose, such as 0\)"
    with pytest.raises(ValueError, match=expected):
        prepare(capture, SETTINGS)
    assert not capture.target.exists() and not list((capture.root / ".partial").rglob("*.npy"))


def test_truncated_sens_keeps_the_readable_frames(tmp_path):
    capture = capture_of(tmp_path)
    data = capture.sens.read_bytes()
    capture.sens.write_bytes(data[: len(data) * 6 // 10])
    manifest = prepare(capture, SETTINGS)
    assert manifest["frames"]["truncated"] == "4 of 8 frames"
    assert read_views(capture.target).frame.tolist() == [0, 2]
    capture.sens.write_bytes(data[:600])  # the header and half a frame
    with pytest.raises(ValueError, match="announces 8 frames in 600 bytes"):
        prepare(capture, ScanNetSettings(stride=1, height=24, width=32))


def test_count_mismatch_is_refused(tmp_path):
    capture = capture_of(tmp_path)
    write_json(capture.segments, {"segIndices": [1, 2, 3]})
    with pytest.raises(ValueError, match="has 3 vertices, the mesh 8000"):
        prepare(capture, SETTINGS)


@pytest.mark.parametrize("kind", ["segments", "aggregation"])
@pytest.mark.parametrize("content", [None, "{", '{"other": 1}', "[]"])
def test_broken_annotation_names_the_file(tmp_path, kind, content):
    capture = capture_of(tmp_path)
    path = getattr(capture, kind)
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises((ValueError, OSError), match=path.name) as error:
        prepare(capture, SETTINGS)
    assert "download" in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"ply\nformat ascii 1.0\nend_header\n", b"\x00" * 99])
def test_broken_mesh_names_the_file(tmp_path, content):
    path = tmp_path / "mesh.ply"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"mesh\.ply"):
        read_mesh(path)
    with pytest.raises(FileNotFoundError, match="download"):
        read_mesh(tmp_path / "other.ply")


def test_broken_label_map_names_the_file(tmp_path):
    path = tmp_path / "map.tsv"
    with pytest.raises(FileNotFoundError, match=r"map\.tsv is missing"):
        LabelMap.read(path)
    path.write_text("id\traw_category\n1\tfloor\n")
    with pytest.raises(ValueError, match="columns id, raw_category, nyu40id"):
        LabelMap.read(path)


def test_empty_data_names_path_split_and_layout(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        find_captures("scannet", tmp_path / "x" / ".." / "raw", tmp_path / "out")
    message = str(error.value)
    assert str(tmp_path / "raw") in message and "train" in message and "SCENE.sens" in message


def test_find_captures(tmp_path, caplog):
    raw_scan.write_lists(tmp_path / "raw", train=["a", "b"], test=["c"])
    for folder in ("scans/a", "scans/unlisted", "scans_test/c"):
        (tmp_path / "raw" / folder).mkdir(parents=True)
    raw, settings = tmp_path / "raw", ScanNetSettings(pointcept=tmp_path / "p")
    captures = find_captures("scannet", raw, tmp_path / "out", settings)
    found = [(c.split, c.name, c.folder.parent.name, c.pointcept) for c in captures]
    assert found == [
        ("train", "a", "scans", tmp_path / "p/train/a"),
        ("test", "c", "scans_test", tmp_path / "p/test/c"),
    ]
    (record,) = caplog.records
    assert record.args == (1, "b")  # counted and named
    with pytest.raises(ValueError, match="--split dev: expected one of train"):
        ScanNetSettings(split=("dev",))
    for inside in (raw, tmp_path / "p"):
        with pytest.raises(ValueError, match="lies inside"):
            find_captures("scannet", raw, inside / "out", settings)


def test_a_foreign_folder_is_not_touched(tmp_path):
    capture = capture_of(tmp_path)
    capture.target.mkdir(parents=True)
    (capture.target / "mine.txt").write_text("precious")
    with pytest.raises(FileExistsError, match=r"no manifest\.json"):
        prepare(capture, SETTINGS)
    assert (capture.target / "mine.txt").read_text() == "precious"


# ------------------------------------------------------------- points prepared by Pointcept


def pointcept_capture(tmp_path, capture, **arrays):
    folder = tmp_path / "pointcept" / capture.split / capture.name
    folder.mkdir(parents=True)
    points = scannet.points_from_mesh(capture) | arrays
    points["segment200"] = np.zeros(len(points["coord"]), np.int64)
    for key, array in points.items():
        np.save(folder / f"{key}.npy", array)
    return replace(capture, pointcept=folder)


def test_pointcepts_arrays_are_hard_linked(tmp_path, monkeypatch):
    capture = pointcept_capture(tmp_path, capture_of(tmp_path))
    capture.mesh.unlink()  # not needed then
    settings = ScanNetSettings(stride=2, height=24, width=32, pointcept=capture.pointcept)
    prepare(capture, settings)
    files = sorted(path.name for path in capture.pointcept.iterdir())
    assert len(files) == 6
    for name in files:
        assert os.path.samefile(capture.pointcept / name, capture.target / name)
    assert is_prepared(capture, settings) and not is_prepared(capture, SETTINGS)

    def refuse(*_):
        raise OSError("another file system")

    monkeypatch.setattr(file_tools.os, "link", refuse)
    shutil.rmtree(capture.target)
    prepare(capture, settings)
    for name in files:
        copied, original = capture.target / name, capture.pointcept / name
        assert not os.path.samefile(copied, original)
        assert copied.read_bytes() == original.read_bytes()


def test_pointcepts_arrays_must_fit_each_other(tmp_path):
    capture = pointcept_capture(tmp_path, capture_of(tmp_path), segment20=np.zeros(7, np.int64))
    with pytest.raises(ValueError, match="differ in length"):
        prepare(capture, SETTINGS)
    (capture.pointcept / "normal.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"normal\.npy"):
        prepare(capture, SETTINGS)


# -------------------------------------------------------------- resume, interruption, shards


def snapshot(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_the_tool_resumes_and_reports(tmp_path, run_tool):
    raw, out = tmp_path / "raw", tmp_path / "out"
    names = ["scene0000_00", "scene0001_00", "scene0002_00"]
    raw_scan.write_lists(raw, train=[names[0], names[2]], val=[names[1], "scene0009_00"])
    for name in names[:2]:
        raw_scan.write_scan(raw, name, bad={2: blank_depth})
    raw_scan.write_scan(raw, names[2], num_frames=1, bad={0: spoil_pose})
    arguments = ("--raw", raw, "--out", out, "--stride", 2, "--size", "32x24")
    status, text = run_tool("prepare", "scannet", *arguments)
    assert status == 1
    assert "2 done, 0 already finished, 1 failed" in text
    assert "failed train/scene0002_00" in text and "no valid frame" in text
    assert "6 frames kept, 2 skipped: blank depth" in text
    tags = {name: ["wall", "floor"] for name in names[:2]}
    assert read_scene_tags(out / "scene_tags.json") == tags
    assert ClassTable.read(out) == SCANNET20

    before = snapshot(out / "train" / names[0])
    assert "0 done, 2 already finished, 1 failed" in run_tool("prepare", "scannet", *arguments)[1]
    assert snapshot(out / "train" / names[0]) == before
    smaller = (*arguments[:-1], "16x12")
    status, text = run_tool("prepare", "scannet", *smaller)
    assert status == 1 and "height 24 there, 12 now" in text
    assert snapshot(out / "train" / names[0]) == before
    _, text = run_tool("prepare", "scannet", *smaller, "--replace")
    assert "2 done, 0 already finished" in text
    assert (read_views(out / "val" / names[1]).size == (12, 16)).all()
    assert not list((out / ".partial").rglob("*.*"))


@pytest.mark.parametrize("name", ["../../train", "/", "..", "scene0000_00/../scene0000_00"])
def test_a_listed_name_that_leaves_the_folder_deletes_nothing(tmp_path, name):
    raw, out = tmp_path / "up/raw", tmp_path / "out"
    other = raw_scan.write_scan(raw, "scene0000_00")
    (tmp_path / "up/train").mkdir()
    target = out / "train/scene0000_00"
    target.mkdir(parents=True)
    (target / "manifest.json").write_text("{}")
    raw_scan.write_lists(raw, train=[f"{target}" if name == "/" else name], val=[])
    with pytest.raises(ValueError, match="is no scene key"):
        find_captures("scannet", raw, out)
    assert target.is_dir() and other != target


def test_generated_scans_are_prepared_like_real_ones(prepared_root):
    """Made by the generator, whose cameras, noise and bad frames are not this file's."""
    tags = read_scene_tags(prepared_root / "scene_tags.json")
    for scene in scene_dirs(prepared_root, ["train", "val"])[::2]:
        points = read_points(scene, ("coord", "segment20"))
        present = set(points["segment20"]) - {-1}
        assert {SCANNET20.names[i] for i in present} == set(tags[scene.name])
        assert not np.allclose(read_views(scene).axis_alignment, np.eye(4))
        errors, hits, agree = [], [], []
        for frame, intrinsic, pose, depth in cameras_of(scene):
            label = read_view_image(scene, frame, "label")
            point, row, col = camera.visible_pixels(points["coord"], intrinsic, pose, depth, 0.2)
            _, z = camera.project(points["coord"][point], intrinsic, pose)
            errors.append(np.abs(depth[row, col] - z))
            hit = np.zeros_like(depth, dtype=bool)
            hit[row, col] = True
            hits.append(hit[depth > 0])
            agree.append(label[row, col] == points["segment20"][point])
        # A pixel at this size is about 10 cm wide at 3 m.
        assert np.median(np.concatenate(errors)) < 0.04
        assert np.concatenate(hits).mean() > 0.2  # few points
        assert np.concatenate(agree).mean() > 0.85


def test_a_killed_prepare_leaves_no_half_scene(tmp_path, monkeypatch):
    capture = capture_of(tmp_path)
    monkeypatch.setattr(frames, "write_views", lambda *_: os._exit(9))
    process = multiprocessing.get_context("fork").Process(target=prepare, args=(capture, SETTINGS))
    process.start()
    process.join()
    monkeypatch.undo()
    assert process.exitcode == 9
    assert list((capture.root / ".partial").rglob("*.jpg"))  # it had begun
    with pytest.raises(FileNotFoundError):
        scene_dirs(capture.root, "train")
    prepare(capture, SETTINGS)
    assert scene_dirs(capture.root, "train") == [capture.target]
    assert not list((capture.root / ".partial").rglob("*.*"))


def test_a_failed_second_preparation_keeps_the_first(tmp_path):
    capture = capture_of(tmp_path)
    prepare(capture, SETTINGS)
    before = snapshot(capture.target)
    capture.sens.write_bytes(b"\x04")
    with pytest.raises(ValueError, match="inside the header"):
        prepare(capture, ScanNetSettings(stride=1, height=24, width=32))
    assert snapshot(capture.target) == before and is_prepared(capture, SETTINGS)


def test_hand_written_tags_are_kept(tmp_path):
    root = tmp_path
    for name, tags in (("a", ["wall"]), ("b", ["bed", "wall"]), ("c", None), ("d", [])):
        write_json(root / "train" / name / "manifest.json", {"tags": tags})
    write_scene_tags(root / "scene_tags.json", {"a": ["sofa"], "x": ["sink"]})
    path, added, differing = assemble_tags(root)
    assert (added, differing) == (2, ["a"])
    assert read_json(path) == {"a": ["sofa"], "b": ["bed", "wall"], "d": [], "x": ["sink"]}
    before = path.stat().st_mtime_ns
    assert assemble_tags(root)[1] == 0 and path.stat().st_mtime_ns == before


def test_tags_of_a_shard_that_finishes_meanwhile_are_not_lost(tmp_path, monkeypatch):
    """Another shard finishes between our reading of the manifests and our write."""
    from pointcept_wsegpc.contracts import tags as module

    write_json(tmp_path / "train" / "a" / "manifest.json", {"tags": ["wall"]})
    real, calls = module.write_scene_tags, []

    def slow_write(path, tags):
        if not calls:
            write_json(tmp_path / "train" / "b" / "manifest.json", {"tags": ["bed"]})
            real(path, {"a": ["wall"], "b": ["bed"]})  # the other shard's own assembly
        calls.append(tags)
        real(path, tags)

    monkeypatch.setattr(module, "write_scene_tags", slow_write)
    path, _, _ = assemble_tags(tmp_path)
    assert read_json(path) == {"a": ["wall"], "b": ["bed"]} and len(calls) == 2
