"""S3DIS with 2D-3D-Semantics -> prepared scene, on rooms that are known otherwise (s3dis_rooms.py).

N points.
"""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import s3dis_rooms
from PIL import Image
from scene_views import color_difference, links

from pointcept_wsegpc import camera
from pointcept_wsegpc.camera.fit import DepthFit
from pointcept_wsegpc.captures import images
from pointcept_wsegpc.captures.converted import image_folders
from pointcept_wsegpc.captures.frames import BadFrame
from pointcept_wsegpc.captures.preparing import find_captures, prepare
from pointcept_wsegpc.captures.s3dis import alignment as s3dis_alignment
from pointcept_wsegpc.captures.s3dis.alignment import (
    AS_RELEASED,
    Placement,
    choose_placement,
    placements,
    read_angles,
    turn,
    undo_about_box,
)
from pointcept_wsegpc.captures.s3dis.points import (
    class_of,
    object_files,
    read_object,
    read_preprocessed_room,
    read_raw_room,
)
from pointcept_wsegpc.captures.s3dis.scene import S3DISSettings, choose_views, problem
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.prepared import is_prepared
from pointcept_wsegpc.contracts.scene import read_points, scene_dirs
from pointcept_wsegpc.contracts.tags import read_scene_tags
from pointcept_wsegpc.contracts.views import read_view_image, read_views
from pointcept_wsegpc.files import read_json, write_json

S3DIS = ClassTable.shipped("s3dis")

ROOT = Path(__file__).resolve().parents[2]
# At this size a pixel is some 10 cm wide: depth and points differ by more than the real 5 cm.
SETTINGS = S3DISSettings(height=36, width=48, depth_tolerance=0.15)
SOURCES = ("raw", "preprocessed", "aligned")


def find(points, images, out, **sources):
    """Captures of the rooms."""
    return find_captures("s3dis", points, out, replace(SETTINGS, images=images, **sources))


ROOMS = [f"{area}-{room}" for area, room, _ in s3dis_rooms.PLACES]


@pytest.fixture(scope="module")
def release(prepared_root, tmp_path_factory):
    """(folder of the release, {name: (the scene that the room was, order of its points)})."""
    folder = tmp_path_factory.mktemp("Straße 2D 3D")
    scenes = scene_dirs(prepared_root, ["train", "val"])
    return folder, s3dis_rooms.write_release(scenes, folder)


@pytest.fixture(scope="module")
def prepared(release):
    """{(source, name): (capture, manifest)} of every room of every source."""
    folder, _ = release
    found = {}
    for source in SOURCES:
        out, angles = folder / "out" / source, folder / "raw"
        captures = find(folder / source, folder / "images", out, angles=angles)
        for capture in captures:
            found[source, capture.name] = capture, prepare(capture, SETTINGS)
    return found


@pytest.fixture
def room(release, tmp_path):
    """(folder, capture) of one raw room with its images, to be spoiled."""
    folder, _ = release
    for part in ("raw/Area_1/office_1", "images/area_1"):
        shutil.copytree(folder / part, tmp_path / part)

    return tmp_path, find(tmp_path / "raw", tmp_path / "images", tmp_path / "out")[0]


def images_of(folder, domain, area="area_1"):
    return sorted((folder / "images" / area / "data" / domain).iterdir())


# ------------------------------------------------------------------------------- right links


def links_of(scene, order=None):
    """{(view, point, row, column)} of every link; order: what each of its points is elsewhere."""
    found = links(scene, 0.15).items()
    return {(v, p if order is None else int(order[p]), *pixel) for (v, p), pixel in found}


def assert_same_links(scene, original, order=None):
    """Depth is stored in 1/512 m here and in mm there: at the tolerance, some point may differ."""
    expected = links_of(original)
    assert len(links_of(scene, order) ^ expected) <= 0.01 * len(expected) and len(expected) > 500


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", ROOMS)
def test_links_are_those_of_the_same_room_elsewhere(release, prepared, source, name):
    """Point by point, to the pixel, in every area, area_5b and aligned copies included."""
    original, order = release[1][name]
    capture, manifest = prepared[source, name]
    assert_same_links(capture.target, original, order if source == "raw" else None)  # by objects
    assert len(read_views(capture.target)) == manifest["num_views"] == len(read_views(original))


@pytest.mark.parametrize("name", ROOMS)
def test_color_and_labels_lie_where_the_links_say(release, prepared, name):
    original, _ = release[1][name]
    capture, _ = prepared["raw", name]
    frames = read_views(capture.target).frame
    for frame, own in zip(frames, read_views(original).frame, strict=True):
        difference = color_difference(capture.target, frame, original, own)
        assert difference.mean() < 4  # compressed twice
    segment = read_points(capture.target, ("segment",))["segment"]
    label = [read_view_image(capture.target, f, "label") for f in frames]
    agree = [label[v][row, col] == segment[p] for v, p, row, col in links_of(capture.target)]
    assert np.mean(agree) > 0.8


@pytest.mark.parametrize("source", SOURCES)
def test_walls_are_along_the_axes_after_alignment(release, prepared, source):
    for name in ROOMS:
        capture, _ = prepared[source, name]
        normal = read_points(release[1][name][0], ("normal", "segment20"))
        wall = normal["normal"][normal["segment20"] == 0].astype(np.float64)
        if source == "aligned":
            wall = wall @ turn(s3dis_rooms.walls_angle(release[1][name][0])).T
        align = read_views(capture.target).axis_alignment
        assert np.allclose(align[:3, :3] @ align[:3, :3].T, np.eye(3))
        along = np.abs(wall @ align[:3, :3].T)[:, :2].max(1)
        assert np.median(along) > 0.99


# -------------------------------------------------------------------------------- what is told


def test_agreement_is_reported_for_every_room_with_images(prepared):
    for (source, name), (_, manifest) in prepared.items():
        report, placement = manifest["agreement"], manifest["placement"]
        if name == "Area_1-WC_1":
            assert report is None and manifest["num_views"] == 0
            continue
        assert report["visible"] > 0.4 and report["median_error"] < 0.05
        assert report["denied"] < 0.15
        assert placement["name"].startswith("aligned about" if source == "aligned" else "as rel")
        assert bool(placement["angle"]) == (source == "aligned")


def test_raw_and_preprocessed_rooms_have_the_same_points_and_tags(release, prepared):
    for name in ROOMS:
        _, order = release[1][name]
        raw, links_ = (prepared[source, name] for source in ("raw", "preprocessed"))
        keys = ("coord", "color", "segment", "instance", "normal")
        one, other = (read_points(c.target, keys) for c, _ in (raw, links_))
        for key in ("coord", "color"):
            assert (one[key] == other[key][order]).all()
        assert (one["segment"] == other["segment"].ravel()[order]).all()
        layout = {key: (one[key].dtype.name, one[key].ndim) for key in one}
        assert layout == {
            "coord": ("float32", 2),
            "color": ("uint8", 2),
            "segment": ("int16", 1),
            "instance": ("int16", 1),
            "normal": ("float32", 2),
        }
        assert raw[1]["tags"] == links_[1]["tags"]
        present = set(one["segment"].tolist())
        assert raw[1]["tags"] == [c for i, c in enumerate(S3DIS.names) if i in present]
        # Those of a raw room are estimated.
        same = np.abs((one["normal"] * other["normal"][order]).sum(1))
        assert np.median(same) > 0.9  # coarse rooms


def test_preprocessed_arrays_are_hard_linked(prepared):
    capture, _ = prepared["aligned", "Area_5-office_2"]
    files = sorted(path.name for path in capture.folder.iterdir())
    assert files == ["color.npy", "coord.npy", "instance.npy", "normal.npy", "segment.npy"]
    for name in files:
        assert os.path.samefile(capture.folder / name, capture.target / name)
    assert is_prepared(capture, SETTINGS) and not is_prepared(capture, S3DISSettings())


def test_rooms_and_images_are_matched_by_name(release, tmp_path, caplog):
    folder, _ = release
    shutil.copytree(folder / "images/area_1", tmp_path / "images/Area_1")
    for path in (tmp_path / "images").rglob("*office_1*"):
        path.rename(path.with_name(path.name.replace("office_1", "lobby_1")))
    (tmp_path / "images" / "notes.txt").touch()
    captures = find(folder / "raw", tmp_path / "images", tmp_path / "out")
    assert [(c.name, len(c.images)) for c in captures if c.split == "Area_1"] == [
        ("Area_1-WC_1", 0),
        ("Area_1-office_1", 0),
    ]
    assert caplog.records[0].args == (1, "Area_1/lobby_1")
    assert all(c.target.parent == tmp_path / "out" / c.split for c in captures)


# ----------------------------------------------------------------------------- frames of reference


@pytest.mark.parametrize("degrees", [0, 37, 90, 123.4, 180, 270, 359])
def test_alignment_is_undone_exactly(degrees):
    rng = np.random.default_rng(int(degrees))
    coord = rng.normal(size=(200, 3)) * (4, 2, 1) + (-20, 33, 1)  # no symmetric box
    middle = (coord.min(0) + coord.max(0)) / 2
    turned = (coord - middle) @ turn(degrees).T + middle
    undo = undo_about_box(turned, degrees)
    assert np.allclose(turned @ undo[:3, :3].T + undo[:3, 3], coord, atol=1e-9)


def test_angles_are_read_and_a_bad_line_is_named(tmp_path):
    path = tmp_path / "Area_2" / "Area_2_alignmentAngle.txt"
    assert read_angles(tmp_path, "Area_2") == {}
    path.parent.mkdir()
    path.write_text("# Global alignment\n## Room\tAngle\nWC_1 90\noffice_1\t180\n\n")
    assert read_angles(tmp_path, "Area_2") == {"WC_1": 90, "office_1": 180}
    path.write_text("WC_1 90\noffice_1\n")
    with pytest.raises(ValueError, match=r"Area_2_alignmentAngle\.txt:2: 'office_1'"):
        read_angles(tmp_path, "Area_2")


def test_folders_that_hold_no_image_or_angle_are_refused(release, tmp_path):
    folder, _ = release
    for wrong in (tmp_path / "mistyped", folder / "raw"):
        with pytest.raises(FileNotFoundError, match=r"no image of Area_1, .*check --images"):
            find(folder / "preprocessed", wrong, tmp_path / "out")
        if wrong.name == "mistyped":
            with pytest.raises(FileNotFoundError, match=r"no angle of Area_1, .*check --angles"):
                find(folder / "preprocessed", None, tmp_path / "out", angles=wrong)


def test_an_aligned_copy_of_unknown_angles_is_refused(release, tmp_path):
    folder, _ = release
    captures = find(folder / "aligned", folder / "images", tmp_path)
    refused = 0
    for capture in captures:
        if capture.images:
            with pytest.raises(ValueError, match=r"poses do not fit.*--angles") as error:
                prepare(capture, SETTINGS)
            assert str(capture.folder) in str(error.value) and "\n" not in str(error.value)
            assert not capture.target.exists()
            refused += 1
    assert refused == 5


def test_quarter_turns_are_undone_without_a_file(release, tmp_path, monkeypatch):
    folder, rooms = release
    scene, _ = rooms["Area_2-office_1"]
    monkeypatch.setattr(s3dis_rooms, "walls_angle", lambda _: 270)
    s3dis_rooms.write_preprocessed(scene, tmp_path / "points", "Area_2", "office_1", aligned=True)
    (capture,) = find(tmp_path / "points", folder / "images", tmp_path / "out")
    assert capture.angle is None
    manifest = prepare(capture, SETTINGS)
    assert manifest["placement"] == {"name": "aligned about the room's middle", "angle": 270}
    assert_same_links(capture.target, scene)


def test_the_user_may_say_whether_it_is_aligned(release, tmp_path):
    folder, _ = release
    capture = find(folder / "raw", folder / "images", tmp_path)[1]
    coord = read_points(folder / "preprocessed/Area_1/office_1", ("coord",))["coord"]
    candidates = placements(coord, capture.angle)
    assert [c.aligned for c in candidates] == [False, True, True]
    assert choose_placement(candidates, coord, [], 0.15) is AS_RELEASED
    assert choose_placement(candidates, coord, [], 0.15, aligned=True).angle == capture.angle
    assert choose_placement(placements(coord, 0), coord, [], 0.15, aligned=True) is AS_RELEASED


def test_the_placement_is_that_which_is_seen_best(monkeypatch):
    """Of an aligned room the angle may be 0 where it is unknown; what is alike is refused."""
    candidates = placements(np.random.default_rng(0).random((9, 3)), None)
    turned = Placement("aligned", True, 180, np.eye(4))

    def choose(candidates, aligned=None, **scores):
        monkeypatch.setattr(
            s3dis_alignment, "seen_share", lambda c, *_: scores["turned" if c.aligned else "still"]
        )
        return choose_placement(candidates, None, [None], 0.05, aligned=aligned)

    assert choose(candidates, True, still=1.0, turned=0.0) is AS_RELEASED
    assert choose(candidates, True, still=0.0, turned=1.0).aligned
    assert choose(placements(np.ones((9, 3)), 90), True, still=1.0, turned=0.0).aligned
    with pytest.raises(ValueError, match=r"alike \(0\.81 and 0\.80 seen\); say --aligned yes"):
        choose([AS_RELEASED, turned], still=0.80, turned=0.81)
    assert choose([AS_RELEASED, turned], still=0.80, turned=0.9) is turned
    # The poses are of the release: a tie goes to it.
    assert choose([AS_RELEASED, turned], still=0.80, turned=0.79) is AS_RELEASED


@pytest.mark.parametrize("coord", [np.zeros((0, 3)), np.zeros(3), np.full((3, 3), np.nan)])
def test_preprocessed_points_that_are_none_are_refused(tmp_path, coord):
    folder = tmp_path / "office_1"
    folder.mkdir()
    np.save(folder / "coord.npy", coord.astype(np.float32))
    np.save(folder / "color.npy", np.zeros((len(coord), 3), np.uint8))
    with pytest.raises(ValueError, match=r"office_1/coord\.npy.*expected finite"):
        read_preprocessed_room(folder)


def test_images_of_another_room_are_refused(release, tmp_path):
    folder, _ = release
    captures = find(folder / "raw", folder / "images", tmp_path)
    by_name = {capture.name: capture for capture in captures}
    swapped = replace(by_name["Area_1-office_1"], images=by_name["Area_5-office_2"].images)
    with pytest.raises(ValueError, match="the poses do not fit these points"):
        prepare(swapped, SETTINGS)


def test_what_is_absurd():
    good = {"visible": 0.9, "median_error": 0.01, "denied": 0.02}
    assert problem(good, 0.05) is None
    for wrong in ({"median_error": 0.5}, {"denied": 0.5}, {"visible": 0.04}):
        assert problem({**good, **wrong}, 0.05)
    assert problem({"visible": 0.0, "median_error": None, "denied": None}, 0.05)


# ----------------------------------------------------------------- the corrupt files of the release

CORRUPT = {  # file of the release: a line as it is there, and what it should be
    "v1.2/Area_5/office_19/Annotations/ceiling_1.txt": (
        b"22.3 6.9 3.1 103.0\x100000 101 98",
        [22.3, 6.9, 3.1, 103.0, 101, 98],
    ),
    "aligned/Area_5/hallway_6/Annotations/ceiling_1.txt": (
        b"22.3 6.9 3.1 185\x00187 190",
        [22.3, 6.9, 3.1, 185, 187, 190],
    ),
    "v1.2/Area_3/hallway_2/hallway_2.txt": (
        b"19.3 -9.1\x160 3.1 93 167 195",
        [19.3, -9.160, 3.1, 93, 167, 195],
    ),
    "v1.2/Area_2/auditorium_1/auditorium_1.txt": (
        b"22.3 6.9 3.1 93 167.\x1000000 195",
        [22.3, 6.9, 3.1, 93, 167, 195],
    ),
}


@pytest.mark.parametrize("name", CORRUPT)
def test_corrupt_bytes_are_mended_in_memory(tmp_path, caplog, name):
    wrong, values = CORRUPT[name]
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    content = b"1 2 3 4 5 6\r\n" + wrong + b"\n7 8 9 10 11 12\n"
    path.write_bytes(content)
    coord, color, repairs = read_object(path)
    assert np.allclose(np.hstack([coord, color])[1], values) and len(coord) == 3
    assert [line for line, _, _ in repairs] == [2]
    assert f"{path}:2: byte 0x" in caplog.text
    assert path.read_bytes() == content


def test_repairs_and_the_duplicate_are_in_the_manifest(room):
    folder, capture = room
    objects = folder / "raw/Area_1/office_1/Annotations"
    chosen = sorted(objects.glob("wall_*.txt"))[0]
    lines = chosen.read_bytes().split(b"\n")
    lines[4] = lines[4].replace(b" ", b"\x00", 1)
    chosen.write_bytes(b"\n".join(lines))
    before = chosen.read_bytes()
    shutil.copy(chosen, objects / f"{chosen.stem} (1).txt")
    manifest = prepare(capture, SETTINGS)
    assert manifest["repairs"] == [[chosen.name, 5, "0x00", " "]]
    assert manifest["left_out"] == [f"{chosen.stem} (1).txt"]
    assert chosen.read_bytes() == before
    assert manifest["num_points"] == len(np.load(capture.target / "coord.npy"))


def test_only_second_copies_are_left_out(tmp_path):
    for name in ("wall_3.txt", "wall_3 (1).txt", "door_1 (2).txt", "Icon.md"):
        (tmp_path / name).touch()
    files, copies = object_files(tmp_path)
    assert [path.name for path in files] == ["door_1 (2).txt", "wall_3.txt"]
    assert copies == ["wall_3 (1).txt"]


def test_names_of_objects():
    names = {"chair_3": "chair", "stairs_1": "clutter", "clutter": "clutter", "board_12": "board"}
    assert {name: S3DIS.names[class_of(name)] for name in names} == names


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1 2 3 4 5\n", "5 columns.*expected finite x y z r g b"),
        (b"1 2 3 4 5 nan\n", "some not finite"),
        (b"1 2 3 4 5 6\n1 2 x 4 5 6\n", "chair_1.txt .*could not convert"),
        (b"1 2 3 4 5 6\n1 2 3 4\n", "chair_1.txt .*columns changed"),
    ],
)
def test_broken_text_names_the_file(tmp_path, content, message):
    path = tmp_path / "chair_1.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_object(path)
    assert "\n" not in str(error.value)


def test_empty_objects_and_rooms(tmp_path):
    objects = tmp_path / "Annotations"
    objects.mkdir()
    with pytest.raises(FileNotFoundError, match=r"no Annotations/\*\.txt"):
        read_raw_room(tmp_path)
    (objects / "beam_1.txt").write_bytes(b"\n")
    with pytest.raises(ValueError, match="holds no point"):
        read_raw_room(tmp_path)
    (objects / "chair_1.txt").write_bytes(b"1 2 3 4 5 600\n")
    points, _ = read_raw_room(tmp_path)
    assert points["coord"].tolist() == [[1, 2, 3]] and points["color"].tolist() == [[4, 5, 255]]
    assert points["segment"].tolist() == [8] and points["instance"].tolist() == [1]


def test_labels_of_another_data_set_are_refused(tmp_path):
    folder = tmp_path / "points/Area_1/office_1"
    folder.mkdir(parents=True)
    for name in ("coord", "color"):
        np.save(folder / f"{name}.npy", np.zeros((4, 3)))
    np.save(folder / "segment.npy", np.array([0, 1, 2, 20]))
    (capture,) = find(tmp_path / "points", None, tmp_path / "out")
    with pytest.raises(ValueError, match=r"office_1.* labels -1 to 20; expected 0 to 12"):
        prepare(capture, SETTINGS)


# ------------------------------------------------------------------------------------- bad images


def spoil_pose(path, **changes):
    write_json(path, {**read_json(path), **changes})


@pytest.mark.parametrize("error", [OSError, SyntaxError, ValueError, Image.DecompressionBombError])
def test_whatever_pillow_raises_is_a_bad_frame(tmp_path, monkeypatch, error):
    def fail(_):
        raise error("broken")

    monkeypatch.setattr(Image, "open", fail)
    (tmp_path / "0.png").touch()
    for read in (
        images.read_color,
        lambda path: images.read_depth(path, 1000),
    ):
        with pytest.raises(BadFrame, match=r"unreadable (color|depth) image"):
            read(tmp_path / "0.png")
    assert image_folders.first_size([tmp_path / "0.png"]) is None


def test_bad_images_are_left_out_and_listed(release, tmp_path):
    folder = tmp_path
    shutil.copytree(release[0] / "raw/Area_2", folder / "raw/Area_2")
    shutil.copytree(release[0] / "images/area_2", folder / "images/area_2")
    shutil.copytree(release[0] / "images/area_2", folder / "images/copy")
    for copy in range(6):  # more of the same views, to be spoiled as well
        for domain in ("rgb", "depth", "pose"):
            for path in images_of(folder, domain, "copy"):
                name = path.name.replace("_frame_", f"_frame_{copy + 1}")
                shutil.copy(path, folder / "images/area_2/data" / domain / name)
    pose, depth, rgb = (images_of(folder, d, "area_2") for d in ("pose", "depth", "rgb"))
    assert len(pose) == len(depth) == len(rgb) == 42
    pose[0].unlink()
    depth[1].unlink()
    rgb[2].unlink()
    pose[3].write_text("{")
    spoil_pose(pose[4], camera_rt_matrix=[[np.nan] * 4] * 3)
    spoil_pose(pose[5], camera_rt_matrix=(2 * np.eye(4)).tolist())
    spoil_pose(pose[6], camera_rt_matrix=np.eye(3).tolist())
    spoil_pose(pose[7], camera_k_matrix=[[500, 0, 540], [0, 500, 540], [0, 0, 1]])
    Image.fromarray(np.full((36, 48), 65535, np.uint16)).save(depth[8])
    Image.fromarray(np.full((36, 48), 200, np.uint8)).save(depth[9])
    depth[10].write_bytes(b"no png")
    rgb[11].write_bytes(b"no png")
    capture = find(folder / "raw", folder / "images", folder / "out", split=("Area_2",))[0]
    manifest = prepare(capture, SETTINGS)
    expected = {
        "no pose file": 1,
        "no depth file": 1,
        "no rgb file": 1,
        "unreadable pose": 2,
        "non-finite pose": 1,
        "non-rigid pose": 1,
        "camera_k_matrix of another image size": 1,
        "blank depth": 1,
        "8-bit depth image (256 steps are no depth: export 16 bits)": 1,
        "unreadable depth image": 1,
        "unreadable color image": 1,
    }
    bad = manifest["frames"]["bad"]
    assert {reason: len(frames) for reason, frames in bad.items()} == expected
    assert manifest["frames"]["read"] == 42 and manifest["num_views"] == 42 - 12
    stored = read_views(capture.target).frame.tolist()
    assert not set(stored) & {frame for frames in bad.values() for frame in frames}
    names = manifest["images"]
    assert all(names[str(frame)] == capture.images[frame].stem for frame in stored)


def test_images_of_different_sizes(release, room):
    """Twice the pixels in one image, three times in the colors of another: the same links."""
    folder, capture = room
    scene, order = release[1]["Area_1-office_1"]
    pose, depth, rgb = (images_of(folder, domain) for domain in ("pose", "depth", "rgb"))
    for i, path, size in ((1, depth, (96, 72)), (1, rgb, (96, 72)), (2, rgb, (144, 108))):
        enlarged = Image.open(path[i]).resize(size, Image.Resampling.NEAREST)
        enlarged.save(path[i])
    matrix = np.array(read_json(pose[1])["camera_k_matrix"])
    larger = camera.resize_intrinsic(matrix, (36, 48), (72, 96))
    spoil_pose(pose[1], camera_k_matrix=larger.tolist())
    prepare(capture, SETTINGS)
    views = read_views(capture.target)
    assert np.allclose(views.intrinsic, read_views(scene).intrinsic)
    assert_same_links(capture.target, scene, order)
    for frame, own in zip(views.frame, read_views(scene).frame, strict=True):
        assert color_difference(capture.target, frame, scene, own).mean() < 6


def test_views_are_those_that_see_most():
    seen, none = np.array([5, 40, 300, 20, 300, 9]), np.zeros(6, int)
    measured = DepthFit(np.zeros(1000, bool), list(range(6)), seen, none, none, none, none)
    assert choose_views(measured, S3DISSettings()) == [1, 2, 3, 4]  # the others see less than 1 %
    assert choose_views(measured, S3DISSettings(max_views=3)) == [1, 2, 4]
    assert choose_views(measured, S3DISSettings(max_views=1)) == [2]


# ----------------------------------------------------------------------------------------- the tool


def test_the_tool_reports_every_room_and_resumes(release, tmp_path, run_tool):
    folder, _ = release
    shutil.copytree(folder / "raw/Area_1", tmp_path / "raw/Area_1")
    objects = tmp_path / "raw/Area_1/office_1/Annotations"
    wall = next(objects.glob("wall_*.txt"))
    shutil.copy(wall, wall.with_name(f"{wall.stem} (1).txt"))
    text = wall.read_bytes()
    wall.write_bytes(text.replace(b"0", b"\x10", 1))
    arguments = ("--raw", tmp_path / "raw", "--images", folder / "images", "--size", "64x64")
    arguments += ("--out", tmp_path / "out", "--split", "Area_1", "Area_3")
    status, text = run_tool("prepare", "s3dis", *arguments)
    # At 64 px and the real 5 cm these coarse rooms still agree.
    assert status == 0, text
    assert "2 done, 0 already finished, 0 failed" in text
    for line in (
        "Area_1-office_1: 4 views, ",
        "% of the points visible, median |depth - z| ",
        "Area_1-WC_1: ",
        "points, no image",
        f"{wall.name}:1: byte 0x10 read as '0'; the file stays",
        "(1).txt: a second copy, skipped",
        "1 scenes have no view, so 3D alone: Area_1-WC_1",
        "tags of 2 scenes added",
    ):
        assert line in text, line
    tags = read_scene_tags(tmp_path / "out" / "scene_tags.json")
    assert list(tags) == ["Area_1-WC_1", "Area_1-office_1"] and tags["Area_1-WC_1"]
    assert "mixture" not in text
    _, again = run_tool("prepare", "s3dis", *arguments)
    assert "0 done, 2 already finished" in again and "Area_1-office_1: 4" in again


def test_the_tool_names_a_mixture_of_releases(release, tmp_path, run_tool):
    folder, _ = release
    shutil.copytree(folder / "preprocessed/Area_1/office_1", tmp_path / "points/Area_1/office_1")
    shutil.copytree(folder / "aligned/Area_2/office_1", tmp_path / "points/Area_2/office_1")
    arguments = ("--raw", tmp_path / "points", "--images", folder / "images", "--size", "64x64")
    arguments += ("--out", tmp_path / "out", "--angles", folder / "raw")
    status, text = run_tool("prepare", "s3dis", *arguments)
    assert status == 0, text
    counts = "1 as released, 1 aligned about the room's middle"
    assert f"points are a mixture ({counts})" in text
    angle = s3dis_rooms.walls_angle(release[1]["Area_2-office_1"][0])
    assert f"aligned about the room's middle by {angle} degrees" in text
