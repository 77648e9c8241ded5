"""Own scans: which there are, their tags, what becomes of each, and labels on the way back."""

import json
import os
import shutil
import unicodedata
from dataclasses import replace

import numpy as np
import own_scan
import pytest
import raw_scan
from cli import wsegpc
from errors import assert_error
from PIL import Image
from plyfile import PlyData
from scene_views import cameras_of, color_difference
from scipy.ndimage import map_coordinates
from stores import write_store

from pointcept_wsegpc import camera
from pointcept_wsegpc.captures.folder.photos import Letterbox, undistort
from pointcept_wsegpc.captures.folder.poses.cameras import Camera
from pointcept_wsegpc.captures.folder.raw import follow_splits, scene_notes
from pointcept_wsegpc.captures.folder.scene import FolderCapture, FolderSettings
from pointcept_wsegpc.captures.folder.tags import read_own_tags
from pointcept_wsegpc.captures.folder.template import write_template
from pointcept_wsegpc.captures.folder.world import UP, World, coordinate_step
from pointcept_wsegpc.captures.preparing import estimate_bytes, find_captures, is_done, prepare
from pointcept_wsegpc.clouds.ply import write_ply
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.prepared import check_root
from pointcept_wsegpc.contracts.scene import read_points
from pointcept_wsegpc.contracts.tags import read_scene_tags
from pointcept_wsegpc.contracts.views import read_view_image, read_views
from pointcept_wsegpc.files import read_json, write_json
from pointcept_wsegpc.visualize.ply import write_labeled

SETTINGS = FolderSettings(height=24, width=32, spacing=0)


def capture_of(tmp_path, name="a", writer=own_scan.scannet, count=4):
    scene = tmp_path / "raw" / name
    writer(scene, count)
    return FolderCapture(name, "train", tmp_path / "out", scene)


def views_of(scene):
    """(intrinsic, world_to_camera, depth) of every view."""
    return [view for _, *view in cameras_of(scene)]


def without_depth(capture):
    for path in (capture.folder / "depth").iterdir():
        path.unlink()


def kitchen(tmp_path):
    """The capture of the template's room."""
    return capture_of(tmp_path, "kitchen", lambda scene, _: write_template(scene.parent))


def change_poses(capture, change):
    for path in (capture.folder / "pose").iterdir():
        own_scan.write_text(path, *change(np.loadtxt(path)))


# ------------------------------------------------------------------------------------- tags


def tags_of(tmp_path, text, name="tags.csv"):
    (tmp_path / name).write_bytes(text.encode())
    table, tags = read_own_tags(tmp_path)
    return list(table.names), tags


def test_lists_of_tags(tmp_path):
    expected = (["chair", "table"], {"kitchen": ["table", "chair"], "hall": []})
    for text in (
        "scene,tags\nkitchen,table;chair\nhall,\n",
        "# mine\nscene,tags\nkitchen,table,chair\n\nhall\n",
        "\ufeffScene;Tags\r\nkitchen;table;chair\r\nhall;;\r\n",  # of a German spreadsheet
        'scene\ttags\n" kitchen "\ttable; chair; table\nhall\t\n',
        'scene,tags\nkitchen,"table, chair"\nhall,\n',
        "scene;tags\nkitchen;table,chair\nhall;\n",
    ):
        assert tags_of(tmp_path, text) == expected
    (tmp_path / "tags.csv").unlink()
    found = tags_of(tmp_path, '{"kitchen": ["table", "chair"], "hall": []}', "tags.json")
    assert found == expected


def test_a_table_of_tags_gives_the_classes(tmp_path):
    text = "scene,sofa,bed,lamp\na,1,,x\nb,0,yes,0\nc\n"
    expected = (["sofa", "bed", "lamp"], {"a": ["sofa", "lamp"], "b": ["bed"], "c": []})
    assert tags_of(tmp_path, text) == expected
    (tmp_path / "classes.txt").write_text("# order\nlamp\nbed\nsofa\n\ndesk\n")
    assert tags_of(tmp_path, text)[0] == ["lamp", "bed", "sofa", "desk"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the header scene,tags"),
        ("kitchen,table\n", "its first line is 'kitchen,table'"),
        ("scene,tags\na,b\na,c\n", "lists the scene a twice"),
        ("scene,bed,sofa\na,1,maybe\n", "a has the cell 'maybe'; write 1 or 0"),
        ("scene,bed,sofa\na,1,0,1\n", "a has 3 cells for 2 classes"),
        ("scene,bed,bed\na,1,0\n", "empty or stands there twice"),
        ("scene,tags\na,\n", "names no class"),
        ("scene,tags\na,soffa\n", "scene a: 'soffa' is no class; did you mean 'sofa'?"),
        ("scene,tags\na,xyzzy\n", "'xyzzy' is no class; the class table has sofa, bed"),
        ("scene,tags\na,sofa\nb,bed;Sofa\n", "alike but for letter case"),
        ('scene,tags\na,"sofa\nb,bed\n', "a quotation mark is not closed"),
    ],
)
def test_odd_tags_get_one_line(text, message, tmp_path):
    if "is no class" in message:
        (tmp_path / "classes.txt").write_text("sofa\nbed\n")
    with pytest.raises(ValueError) as error:
        tags_of(tmp_path, text)
    assert message in str(error.value) and "tags.csv" in str(error.value)


def test_tags_that_are_missing_or_no_text(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no tags\.csv or tags\.json"):
        read_own_tags(tmp_path)
    (tmp_path / "tags.csv").write_bytes("scene,tags\na,Stühle\n".encode("latin-1"))
    with pytest.raises(ValueError, match="save it as CSV UTF-8"):
        read_own_tags(tmp_path)
    (tmp_path / "tags.csv").unlink()
    for text in ("[1]", '{"a": "bed"}', "{"):
        with pytest.raises(ValueError, match=r"tags\.json"):
            tags_of(tmp_path, text, "tags.json")


def test_tags_json_is_as_strict_as_a_table(tmp_path):
    bom = "\ufeff"
    assert tags_of(tmp_path, bom + '{"a": ["bed", ""]}', "tags.json")[1] == {"a": ["bed"]}
    for text, found in (
        ('{"a": ["bed"], "a": ["sofa"]}', "the scene a twice"),
        ('{"a": ["bed", null]}', "scene a has None"),
        ('{"a": ["bed", 3]}', "scene a has 3"),
        ('{"a": ["bed", NaN]}', "scene a has nan"),
        ('{"a": [["bed"]]}', "scene a has ['bed']"),
        ('{"a": {"bed": 1}}', "scene a has"),
        ('{"a":' + "[" * 100_000 + "]" * 100_000 + "}", "tags.json"),
        ("", "tags.json"),
    ):
        with assert_error(ValueError, "tags.json", found):
            tags_of(tmp_path, text, "tags.json")


def test_names_that_are_several_classes(tmp_path):
    """Refused where they surely are; a class that classes.txt names is one, whatever its name."""
    text = "scene,tags\na,{}\nb,floor;wall\nc,shower;curtain;shower curtain\n"
    for odd, parts in (("floor|wall", "floor;wall"), ("floor wall", "floor;wall"), ("x|y", "x;y")):
        with assert_error(ValueError, "tags.csv", "scene a", repr(odd), f"did you mean {parts}?"):
            tags_of(tmp_path, text.format(odd))
    assert "shower curtain" in tags_of(tmp_path, text.format("floor"))[0]
    names = "floor wall", "floor", "wall", "shower", "curtain", "shower curtain"
    (tmp_path / "classes.txt").write_text("\n".join(names))
    assert tags_of(tmp_path, text.format("floor wall"))[1]["a"] == ["floor wall"]
    assert tags_of(tmp_path, text.format("Floor\t"))[1]["a"] == ["floor"]


# ---------------------------------------------------------------------------------- captures


def test_scans_and_their_splits(tmp_path, caplog):
    raw = tmp_path / "raw"
    for name in ("b", "a", "Büro 1", ".hidden"):
        (raw / name).mkdir(parents=True)
    (raw / "tags.csv").touch()
    (raw / "val.txt").write_text(unicodedata.normalize("NFD", "Büro 1") + "\nghost\n")
    captures = find_captures("scans", raw, tmp_path / "out")
    split_of = {"Büro 1": "val", "a": "train", "b": "train"}
    assert {c.name: c.split for c in captures} == split_of
    assert (
        caplog.records[0].args == (1, "ghost") and captures[0].target == tmp_path / "out/val/Büro 1"
    )
    (raw / "test.txt").write_text("ghost\n")
    with pytest.raises(ValueError, match=r"ghost is in val\.txt, too"):
        find_captures("scans", raw, tmp_path / "out")


@pytest.mark.parametrize("name", ["../evil", "/etc", "..", ".partial", "a/b", "a\\b"])
def test_no_name_leaves_the_output_folder(name, tmp_path):
    (tmp_path / "raw/a").mkdir(parents=True)
    (tmp_path / "raw/train.txt").write_text(f"{name}\n")
    with pytest.raises(ValueError, match="is no name of a scene's folder"):
        find_captures("scans", tmp_path / "raw", tmp_path / "out")


def test_wrong_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="no scene in"):
        find_captures("scans", tmp_path / "raw", tmp_path / "out")
    with pytest.raises(ValueError, match="lies inside"):
        find_captures("scans", tmp_path / "raw", tmp_path / "raw/out")
    for form in ("NFC", "NFD"):
        (tmp_path / "raw" / unicodedata.normalize(form, "é")).mkdir(parents=True)
    with pytest.raises(ValueError, match="alike but for their Unicode form"):
        find_captures("scans", tmp_path / "raw", tmp_path / "out")


def test_a_scene_follows_its_split(tmp_path):
    capture = FolderCapture("a", "val", tmp_path / "out", tmp_path)
    (tmp_path / "out/train/a").mkdir(parents=True)
    (tmp_path / "out/train/a/manifest.json").write_text("{}")
    assert follow_splits([capture]) == ["a"] and (capture.target / "manifest.json").is_file()
    assert follow_splits([capture]) == [] and not (tmp_path / "out/train/a").exists()


def test_settings_of_one_scan(tmp_path):
    """scene.json stands above the options, and changing it means preparing that scan again."""
    capture = capture_of(tmp_path)
    own = capture.folder / "scene.json"
    write_json(own, {"up": "y", "scale": 1})
    assert capture.own_settings(SETTINGS) == replace(SETTINGS, up="y")
    manifest = prepare(capture, SETTINGS)
    assert manifest["settings"]["up"] == "y" and manifest["own_settings"] == {"up": "y"}
    assert is_done(capture, SETTINGS) and is_done(capture, replace(SETTINGS, up="x"))
    check_root(capture.root, "scans", SETTINGS)  # what the root has is what was given
    write_json(own, {"up": "x"})
    assert not is_done(capture, SETTINGS)
    for text, found in (
        ('{"upp": "y"}', "unknown setting 'upp'"),
        ('{"height": 3}', "unknown setting 'height'"),
        ('{"scale": "0.001"}', "scale is '0.001'"),
        ('{"scale": true}', "scale is True"),
        ('{"scale": 0}', "--scale 0"),
        ('{"scale": NaN}', "--scale nan"),
        ('{"up": "w"}', "--up w"),
        ('{"point_axes": "x,y,x"}', "--point-axes x,y,x"),
        ("[]", "expected {setting: value}"),
        ("", "scene.json"),
    ):
        own.write_text(text)
        assert not is_done(capture, SETTINGS)
        with assert_error(ValueError, own, found):
            prepare(capture, SETTINGS)


@pytest.mark.parametrize("up", UP)
def test_any_axis_can_be_typed(up, tmp_path):
    write_template(tmp_path / "raw")
    options = ("--size", "32x24", "--spacing", "0.2")
    result = wsegpc("prepare", "scans", "--raw", tmp_path / "raw", "--out", tmp_path / "out",
                    *options, "--up", up)  # fmt: skip
    assert result.exit_code == 0, result.output
    assert read_json(tmp_path / "out/train/kitchen/manifest.json")["settings"]["up"] == up


def prepare_folder(tmp_path, raw, *options):
    places = ("--raw", tmp_path / raw, "--out", tmp_path / "out")
    return wsegpc("prepare", "scans", *places, "--size", "32x24", *options)


def test_two_folders_of_scans_in_one_data_root(tmp_path):
    for name, tags in (("one", "box;floor"), ("two", "Floor;lamp")):
        write_template(tmp_path / name)
        (tmp_path / name / "classes.txt").unlink()
        (tmp_path / name / "kitchen").rename(tmp_path / name / f"room {name}")
        (tmp_path / name / "tags.csv").write_text(f"scene,tags\nroom {name},{tags}\n")
    for name in ("one", "two", "one"):
        result = prepare_folder(tmp_path, name)
        assert result.exit_code == 0 and "have no folder any more" not in result.output
    assert ClassTable.read(tmp_path / "out").names == ("box", "floor", "lamp")
    tags = {"room one": ["box", "floor"], "room two": ["floor", "lamp"]}
    assert read_scene_tags(tmp_path / "out/scene_tags.json") == tags
    (tmp_path / "two/room two").rename(tmp_path / "two/room one")
    (tmp_path / "two/tags.csv").write_text("scene,tags\nroom one,lamp\n")
    result = prepare_folder(tmp_path, "two")
    assert result.exit_code == 1 and "would both be the scene room one" in result.stderr


@pytest.mark.parametrize("name", ["scene_tags.json", "classes.json", "prepared.json"])
@pytest.mark.parametrize("left", [0, 20])
def test_a_damaged_file_of_the_data_root_is_made_anew(name, left, tmp_path, caplog):
    write_template(tmp_path / "raw")
    prepare_folder(tmp_path, "raw")
    path = tmp_path / "out" / name
    content = path.read_bytes()
    path.write_bytes(content[:left])
    result = prepare_folder(tmp_path, "raw")
    assert result.exit_code == 0 and path.read_bytes() == content
    # Tags are written anew in any case.
    assert name == "scene_tags.json" or str(path) in caplog.text


def test_classes_that_cannot_be_learned_are_named(tmp_path):
    write_template(tmp_path / "raw")
    for name in ("hall", "bath"):
        shutil.copytree(tmp_path / "raw/kitchen", tmp_path / "raw" / name)
    (tmp_path / "raw/classes.txt").unlink()
    rows = "kitchen,Floor;chair;box\nhall,Floor;chair;sofa;sofas\nbath,Floor;lamp\n"
    (tmp_path / "raw/tags.csv").write_text("scene,tags\n" + rows)
    (tmp_path / "raw/val.txt").write_text("bath\n")
    prepared, checked = prepare_folder(tmp_path, "raw"), wsegpc("check", tmp_path / "raw")
    for text in (prepared.output, checked.output):
        assert "chair: in all 2 training scenes (Floor, too" in text
        assert "lamp: the tag of no training scene" in text
        assert "sofa, sofas look like one class" in text
    assert checked.exit_code == 0 and "12000 steps" in checked.output
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "raw"]


# ----------------------------------------------------------------------------------- images


@pytest.mark.parametrize("old", [(48, 64), (480, 640), (64, 48), (30, 90), (3, 1000)])
def test_letterbox_keeps_rays(old):
    box = Letterbox(old, (24, 32))
    intrinsic = np.array([[50.0, 0, 20], [0, 52, 15], [0, 0, 1]])
    placed = box.intrinsic(intrinsic)
    scale = np.array(box.inner) / old
    assert (np.array(box.inner) <= (24, 32)).all() and (np.array(box.inner) == (24, 32)).any()
    if min(box.inner) > 5:
        assert scale[0] / scale[1] == pytest.approx(1, abs=0.1)
    # The edges of the old image are those of the inner one.
    for axis, side in ((0, 1), (1, 0)):
        for edge, expected in ((-0.5, -0.5), (old[side] - 0.5, box.inner[side] - 0.5)):
            ray = (edge - intrinsic[axis, 2]) / intrinsic[axis, axis]
            found = ray * placed[axis, axis] + placed[axis, 2]
            assert found == pytest.approx(expected + box.corner[side])
    depth = box.depth(np.ones(old, np.float32))
    assert depth.sum() == box.inner[0] * box.inner[1]


def test_images_of_different_sizes_become_one_pinhole_each(tmp_path):
    capture = capture_of(tmp_path, writer=own_scan.nerfstudio)
    data = json.loads((capture.folder / "transforms.json").read_text())
    sizes = {0: (48, 64), 1: (96, 128), 2: (64, 40), 3: (30, 90)}
    for frame in data["frames"]:
        number = int(frame["depth_file_path"][-9:-4])
        h, w = size = sizes[number]
        intrinsic = np.array([[60, 0, w / 2 - 0.8], [0, 61, h / 2 - 0.3], [0, 0, 1.0]])
        name = f"frame_{number:05d}.png"
        own_scan.write_image(capture.folder / "images", name, number, size, intrinsic)
        own_scan.write_depth(
            capture.folder / "depths", name, number, size=size, intrinsic=intrinsic
        )
        frame |= {"w": w, "h": h, "fl_x": 60, "fl_y": 61, "cx": w / 2 - 0.3, "cy": h / 2 + 0.2}
    (capture.folder / "transforms.json").write_text(json.dumps(data))
    manifest = prepare(capture, SETTINGS)
    assert manifest["num_views"] == 4
    margins = []
    for number, (intrinsic, pose, depth) in enumerate(views_of(capture.target)):
        expected, surface = raw_scan.render(intrinsic, (24, 32), np.linalg.inv(pose))
        both = (depth > 0) & (expected > 0)
        assert both.mean() > 0.1 and np.median(np.abs(depth - expected)[both]) < 0.03
        margins.append((depth == 0).all(axis=0).sum())
        color = read_view_image(capture.target, number, "color").astype(int)
        seen = np.where(color[..., 0] > 128, 0, np.where(color[..., 1] > 128, 1, -1))
        assert (seen == surface)[both].mean() > 0.9
    assert margins[2] >= 16  # an upright image has margins left and right


@pytest.mark.parametrize("depth", [True, False])
def test_one_calibration_of_images_of_different_sizes(depth, tmp_path):
    """Numbers without a size are those of the images whose middle is the principal point."""
    plain, mixed = (capture_of(tmp_path, name, count=5) for name in ("plain", "mixed"))
    twice = camera.resize_intrinsic(own_scan.INTRINSIC, (48, 64), (96, 128))
    for number in (0, 1, 2):  # most of the five; 4 is as calibrated
        own_scan.write_image(mixed.folder / "color", f"{number}.png", number, (96, 128), twice)
    own_scan.write_image(mixed.folder / "color", "3.png", 3, (48, 48))  # cropped
    for capture in (plain, mixed):
        if not depth:
            without_depth(capture)
        prepare(capture, SETTINGS)
    bad = read_json(mixed.target / "manifest.json")["frames"]["bad"]
    assert list(bad.values()) == [["3.png"]] and "cropped" in next(iter(bad))
    others = [view for i, view in enumerate(views_of(plain.target)) if i != 3]
    for one, two in zip(others, views_of(mixed.target), strict=True):
        assert all(np.allclose(a, b, atol=1e-3) for a, b in zip(one, two, strict=True))
    for number in range(3):
        difference = color_difference(plain.target, number, mixed.target, number)
        assert (difference.max(axis=2) < 60).mean() > 0.95


def test_undistortion_against_a_loop():
    distortion = (0.1, -0.05, 0.01, -0.02, 0.03, 0.01, 0.02, -0.01)
    fx, fy, cx, cy = 50.0, 52.0, 31.0, 22.0
    given = Camera(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]), (48, 64), distortion)
    row, col = np.indices((48, 64)).astype(np.float32)
    found_row, found_col = undistort(row, given), undistort(col, given)
    k1, k2, p1, p2, k3, k4, k5, k6 = distortion
    for v, u in ((22, 31), (10, 20), (35, 50), (24, 12)):
        x, y = (u - cx) / fx, (v - cy) / fy
        r = np.hypot(x, y)
        radial = (1 + k1 * r**2 + k2 * r**4 + k3 * r**6) / (1 + k4 * r**2 + k5 * r**4 + k6 * r**6)
        x_d = x * radial + 2 * p1 * x * y + p2 * (r**2 + 2 * x**2)
        y_d = y * radial + p1 * (r**2 + 2 * y**2) + 2 * p2 * x * y
        assert found_col[v, u] == pytest.approx(fx * x_d + cx, abs=1e-3)
        assert found_row[v, u] == pytest.approx(fy * y_d + cy, abs=1e-3)
    nearest = undistort(col, given, nearest=True)
    assert (nearest == np.rint(nearest)).all()
    assert undistort(col, Camera(given.intrinsic, (48, 64))) is col


def test_links_of_a_distorted_camera(tmp_path):
    """Images bent by a lens give the links of the same images without it, but for some pixels."""
    plain = capture_of(tmp_path, "plain", own_scan.colmap)
    bent = capture_of(
        tmp_path,
        "bent",
        lambda s, n: own_scan.colmap(s, n, model="OPENCV", extra=(-0.15, 0.05, 0.001, -0.002)),
    )
    k = own_scan.INTRINSIC
    given = Camera(k, own_scan.SIZE, (-0.15, 0.05, 0.001, -0.002))
    # Where the lens puts the ray of each pixel, inverted by iteration.
    row, col = np.indices(own_scan.SIZE).astype(float)
    source_row, source_col = row.copy(), col.copy()
    bent_row, bent_col = (undistort(a.astype(np.float32), given) for a in (row, col))
    for _ in range(20):
        at = (source_row, source_col)
        source_row += row - map_coordinates(bent_row, at, order=1, mode="nearest")
        source_col += col - map_coordinates(bent_col, at, order=1, mode="nearest")
    index = tuple(np.rint(a).astype(int) for a in (source_row.clip(0, 47), source_col.clip(0, 63)))
    for path in [*bent.folder.glob("images/*"), *bent.folder.glob("depth/*")]:
        Image.fromarray(np.asarray(Image.open(path))[index]).save(path)
    prepare(plain, SETTINGS), prepare(bent, SETTINGS)
    for (_, _, one), (_, _, two) in zip(views_of(plain.target), views_of(bent.target), strict=True):
        inner = (slice(4, 20), slice(4, 28))
        assert (np.abs(one - two)[inner] < 0.1).mean() > 0.9


@pytest.mark.parametrize("kind", ["mesh", "points"])
def test_without_depth_images_depth_is_rendered(kind, tmp_path):
    if kind == "mesh":
        pytest.importorskip("embreex")
    capture = capture_of(tmp_path)
    expected = prepare(capture, SETTINGS)
    without_depth(capture)
    if kind == "points":
        coord, surface, _ = raw_scan.room()
        (capture.folder / "mesh.ply").unlink()
        write_ply(capture.folder / "cloud.ply", coord, raw_scan.color_of(surface))
    manifest = prepare(capture, SETTINGS)
    assert manifest["rendered_depth"] == {"from": kind, "views": [0, 1, 2, 3]}
    assert expected["rendered_depth"]["views"] == [] and manifest["fit"]["depth_error"] is None
    coord = read_points(capture.target)["coord"]
    for intrinsic, pose, depth in views_of(capture.target):
        exact, _ = raw_scan.render(intrinsic, (24, 32), np.linalg.inv(pose))
        found, wanted = (
            set(camera.visible_pixels(coord, intrinsic, pose, image, 0.065)[0])
            for image in (depth, exact)
        )
        assert len(wanted) > 500 and len(found & wanted) > 0.9 * len(found | wanted)


# ------------------------------------------------------------------------- the world's frame


@pytest.mark.parametrize("up", UP)
def test_any_axis_may_point_up(up):
    rotation = World.of(np.zeros((1, 3)), 1.0, up).rotation
    assert np.linalg.det(rotation) == pytest.approx(1)
    axis = np.zeros(3)
    axis["xyz".index(up[-1])] = -1 if up[0] == "-" else 1
    assert (rotation @ axis).tolist() == [0, 0, 1]


def test_units_axes_and_far_origins_do_not_change_links(tmp_path):
    """Millimeters, y up and far away: the same room, and labels lead back to the file's points."""
    plain = capture_of(tmp_path, "plain")
    prepare(plain, SETTINGS)
    moved = capture_of(tmp_path, "moved")
    rotation = np.array(UP["y"], float).T  # z up -> y up
    origin = np.array([4.5e6, 2.0e6, 7.0e6])  # mm
    coord, surface, _ = raw_scan.room()
    (moved.folder / "mesh.ply").unlink()
    write_ply(
        moved.folder / "a.ply", 1000 * coord @ rotation.T + origin, raw_scan.color_of(surface)
    )

    def move(pose):
        pose[:3, :3] = rotation @ pose[:3, :3]
        pose[:3, 3] = 1000 * rotation @ pose[:3, 3] + origin
        return pose

    change_poses(moved, move)
    settings = FolderSettings(height=24, width=32, spacing=0, scale=0.001, up="y")
    manifest = prepare(moved, settings)
    assert manifest["fit"]["depth_error"] < 0.02 and np.abs(manifest["origin"]).max() > 1000
    points = read_points(moved.target)
    shift = points["coord"][0] - read_points(plain.target)["coord"][0]
    assert np.allclose(points["coord"] - shift, coord, atol=1e-3)
    for (*_, one), (*_, two) in zip(views_of(plain.target), views_of(moved.target), strict=True):
        assert np.array_equal(one, two)
    found = camera.visible_pixels(points["coord"], *views_of(moved.target)[0], 0.05)
    assert len(found[0]) > 500


def test_a_large_cloud_stays_where_it_is():
    """A room in millimeters, prepared as meters, is right but for one factor."""
    room = raw_scan.room()[0]
    assert not World.of(1000 * room, 1.0, "z").origin.any()
    far = World.of(np.concatenate([np.add(room, (5000.3, 0, 0)), [[1e7, 0, 0]]]), 1.0, "z")
    assert far.origin.tolist() == [5002, round(np.median(room[:, 1])), round(np.median(room[:, 2]))]


def of_points(capture, coord, name="a.npy"):
    """Give the capture these points (N, 3) instead of its mesh."""
    for path in capture.folder.glob("*.ply"):
        path.unlink()
    np.save(capture.folder / name, coord)


def test_points_without_a_place_are_counted_and_move_no_other(tmp_path):
    coord = raw_scan.room()[0]
    plain, strange = (capture_of(tmp_path, name) for name in ("plain", "strange"))
    holes = coord.copy()
    holes[::3] = np.nan
    of_points(plain, coord[np.arange(len(coord)) % 3 > 0])
    of_points(strange, np.concatenate([holes, [[0, 0, -3.4e38], [1e20, 1e20, 1e20]]]))
    settings = replace(SETTINGS, spacing=0.02)
    expected, manifest = prepare(plain, settings), prepare(strange, settings)
    for key in ("num_points", "extent", "origin", "fit", "rendered_depth"):
        assert manifest[key] == expected[key]
    lost, n = len(holes[::3]), len(coord) + 2
    assert (manifest["num_without_coordinates"], manifest["num_too_far"]) == (lost, 2)
    inverse = np.load(strange.target / "inverse.npy")
    assert (np.flatnonzero(inverse < 0) == [*range(0, len(coord), 3), n - 2, n - 1]).all()
    notes = "\n".join(scene_notes(manifest))
    assert f"{lost} of {n} points have no coordinates" in notes
    assert f"2 of {n} points lie farther away than a scan reaches, such as point {n - 2}" in notes
    assert "give --scale" not in notes and "labels return to all\n" not in f"{notes}\n"


def test_coarse_coordinates_are_named(tmp_path):
    """UTM in 32 bits: a room becomes a few planes."""
    capture, room = capture_of(tmp_path), raw_scan.room()[0]
    far = np.add(room, [2e5, 0, 0])
    assert coordinate_step(far.astype(np.float32)) == 1 / 64 and coordinate_step(far) == 0
    of_points(capture, np.add(room, [458_000, 5_411_876, 280]).astype(np.float32))
    with pytest.raises(ValueError, match=r"a\.npy: coordinates are 32-bit floats, 0\.5 m apart"):
        prepare(capture, SETTINGS)


def test_merged_scans_give_the_depth_of_one(tmp_path):
    one, merged = (capture_of(tmp_path, name) for name in ("one", "merged"))
    coord = raw_scan.room()[0]
    for capture, times in ((one, 1), (merged, 20)):
        without_depth(capture)
        of_points(capture, np.tile(coord, (times, 1)))
        prepare(capture, SETTINGS)
    for (*_, first), (*_, second) in zip(
        views_of(one.target), views_of(merged.target), strict=True
    ):
        assert (first > 0).any()
        np.testing.assert_allclose(first, second, atol=2e-3)


def test_the_alignment_leads_from_the_capture(tmp_path):
    capture = capture_of(tmp_path)
    matrix = np.array([[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1.0]])
    own_scan.write_text(capture.folder / "axis_alignment.txt", *matrix)
    prepare(capture, SETTINGS)
    assert (read_views(capture.target).axis_alignment == matrix).all()
    own_scan.write_text(capture.folder / "axis_alignment.txt", *np.zeros((4, 4)))
    with pytest.raises(ValueError, match=r"axis_alignment.txt is no rotation and shift"):
        prepare(capture, SETTINGS)


# ------------------------------------------------------------------------------ what is wrong


def test_a_room_without_images_is_kept(tmp_path):
    capture = capture_of(tmp_path, writer=lambda scene, _: own_scan.write_mesh(scene))
    manifest = prepare(capture, SETTINGS)
    assert manifest["num_views"] == 0 and not (capture.target / "views").exists()
    normal = read_points(capture.target)["normal"]
    assert np.allclose(np.linalg.norm(normal, axis=1), 1, atol=1e-5)


def test_depth_in_another_unit_is_named(tmp_path):
    capture = capture_of(tmp_path, writer=own_scan.tum)
    with pytest.raises(ValueError, match=r"off the cloud's; try --depth-scale 5\d\d\d \(now 1000"):
        prepare(capture, FolderSettings(height=24, width=32, depth_scale=1000))
    assert not capture.target.exists()
    assert prepare(capture, SETTINGS)["depth_scale"] == 5000


def test_floats_of_another_unit_are_named(tmp_path):
    """Floats are meters, whatever --depth-scale says."""
    capture = capture_of(tmp_path)
    for path in (capture.folder / "depth").iterdir():
        np.save(path.with_suffix(".npy"), np.asarray(Image.open(path)).astype(np.float32))
        path.unlink()
    with pytest.raises(ValueError, match="4 with floating-point depth in another unit"):
        prepare(capture, SETTINGS)


def test_a_cloud_in_millimeters_is_named(tmp_path):
    coord, surface, _ = raw_scan.room()

    def move(pose):
        pose[:3, 3] *= 1000
        return pose

    capture = capture_of(tmp_path)
    (capture.folder / "mesh.ply").unlink()
    write_ply(capture.folder / "a.ply", 1000 * coord, raw_scan.color_of(surface))
    change_poses(capture, move)
    with pytest.raises(ValueError, match=r"give --scale 0\.001"):
        prepare(capture, SETTINGS)
    # The cloud, the poses and the depth images agree, each in its own unit.
    assert prepare(capture, replace(SETTINGS, scale=0.001))["fit"]["depth_error"] < 0.02


def test_views_that_hardly_show_the_cloud_are_an_error(tmp_path):
    """With rendered depth, too, where nothing is compared."""
    capture = kitchen(tmp_path)
    without_depth(capture)

    def retreat(pose):
        pose[:3, 3] -= 200 * pose[:3, 2]  # far behind the camera's place
        return pose

    change_poses(capture, retreat)
    with pytest.raises(ValueError, match=r"0\.\d % of the images show the cloud"):
        prepare(capture, FolderSettings(height=240, width=320))
    far = np.eye(4, k=3)  # along x
    change_poses(capture, lambda pose: pose - 1e6 * far)
    with pytest.raises(ValueError, match="sees no point of the cloud"):
        prepare(capture, SETTINGS)


def test_8_bit_depth_is_named(tmp_path):
    capture = capture_of(tmp_path)
    for path in (capture.folder / "depth").iterdir():
        depth = np.asarray(Image.open(path))
        Image.fromarray((depth / 20).astype(np.uint8)).save(path)
    with pytest.raises(ValueError, match=r"0 of 4 images are used \(4 read, 4 with 8-bit depth"):
        prepare(capture, SETTINGS)


# What is wrong with the poses of a scan, and the settings that undo it.
TO_OPENGL = np.diag([1.0, -1, -1, 1])
MISTAKES = {
    "inverted": (np.linalg.inv, {"mend_poses": "invert"}),
    "opengl": (lambda pose: pose @ TO_OPENGL, {"mend_poses": "opengl"}),
    "both": (lambda pose: np.linalg.inv(pose @ TO_OPENGL), {"mend_poses": "invert-opengl"}),
    "axes": (lambda pose: np.eye(4)[[2, 0, 1, 3]] @ pose, {"point_axes": "z,x,y"}),
}


@pytest.mark.parametrize("up", ["z", "y"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_known_mistake_of_the_poses_is_named_and_undone(mistake, up, tmp_path):
    change, mend = MISTAKES[mistake]
    capture, settings = capture_of(tmp_path), replace(SETTINGS, up=up)
    views = prepare(capture, settings), views_of(capture.target)
    change_poses(capture, change)
    (name, value), *_ = mend.items()
    with pytest.raises(ValueError, match=f"--{name.replace('_', '-')} {value},"):
        prepare(capture, settings)
    write_json(capture.folder / "scene.json", mend)
    manifest = prepare(capture, settings)
    assert manifest["fit"] == views[0]["fit"] and manifest["own_settings"] == mend
    if mistake != "axes":  # there, the prepared scene has the axes of the poses
        for one, two in zip(views[1], views_of(capture.target), strict=True):
            assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("depth", [True, False])
def test_raw_scans_are_checked_before_they_are_prepared(depth, tmp_path):
    capture = kitchen(tmp_path)
    if not depth:
        without_depth(capture)
    change_poses(capture, MISTAKES["opengl"][0])
    before = sorted(tmp_path.rglob("*"))
    wrong = wsegpc("check", tmp_path / "raw")
    assert wrong.exit_code == 1 and "give --mend-poses opengl" in wrong.output
    right = wsegpc("check", tmp_path / "raw", "--set", "mend_poses=opengl")
    assert right.exit_code == 0 and "ERROR" not in right.output, right.output
    assert sorted(tmp_path.rglob("*")) == before
    (tmp_path / "raw/tags.csv").unlink()
    untagged = wsegpc("check", tmp_path / "raw", "--set", "mend_poses=opengl")
    (line,) = [line for line in untagged.output.splitlines() if line.startswith("ERROR")]
    assert untagged.exit_code == 1 and "tags.csv" in line
    assert wsegpc("check", tmp_path / "raw", "--set", "upp=y").exit_code == 1


def test_what_is_not_prepared_is_not_said_to_be(tmp_path, monkeypatch):
    capture = kitchen(tmp_path)
    (capture.folder / "points.ply").write_bytes(b"")
    result = prepare_folder(tmp_path, "raw")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1].startswith("nothing is prepared in")
    small = type("Usage", (), {"free": 4000})
    monkeypatch.setattr("pointcept_wsegpc.commands.prepare.shutil.disk_usage", lambda _: small)
    shutil.rmtree(capture.folder.parent)
    write_template(capture.folder.parent)
    result = prepare_folder(tmp_path, "raw")
    assert result.exit_code == 1 and "its disk has 4.0 kB free" in result.stderr


def test_poses_of_another_frame_are_named(tmp_path):
    capture = capture_of(tmp_path)
    shift = np.array([[0, 0, 0, 100]] * 3 + [[0] * 4])
    change_poses(capture, lambda pose: pose + shift)
    with pytest.raises(ValueError, match="of another frame or unit than the cloud"):
        prepare(capture, SETTINGS)


@pytest.mark.parametrize("applied", [[[0, 1, 0, 0.5], [1, 0, 0, 0], [0, 0, -1, 1]], np.eye(4)[:3]])
def test_what_nerfstudio_applied_is_undone_where_that_fits(applied, tmp_path):
    """Its poses are moved, its file says how, and the cloud is that of before, or moved, too."""
    plain, moved = (capture_of(tmp_path, name, own_scan.nerfstudio) for name in ("plain", "moved"))
    path = moved.folder / "transforms.json"
    data, matrix = json.loads(path.read_text()), np.vstack([applied, [0, 0, 0, 1]])
    for frame in data["frames"]:
        frame["transform_matrix"] = (matrix @ np.array(frame["transform_matrix"])).tolist()
    path.write_text(json.dumps({**data, "applied_transform": np.array(applied).tolist()}))
    prepare(plain, SETTINGS)
    undone = prepare(moved, SETTINGS)["undone"]
    assert undone == (None if np.array_equal(applied, np.eye(4)[:3]) else "applied_transform")
    for one, two in zip(views_of(plain.target), views_of(moved.target), strict=True):
        assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(one, two, strict=True))


def test_colors_tell_wrong_poses_where_there_is_no_depth(tmp_path):
    capture, settings = kitchen(tmp_path), FolderSettings(height=24, width=32)
    good = prepare(capture, settings)["fit"]
    assert good["color_agreement"] > 0.9 and good["seen"] == 1
    without_depth(capture)
    assert prepare(capture, settings)["fit"]["color_agreement"] > 0.9
    roll = np.array([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    change_poses(capture, lambda pose: pose @ roll)
    wrong = prepare(capture, settings)["fit"]
    assert wrong["color_agreement"] < good["color_agreement"] - 0.3


def test_bad_images_are_counted_by_name(tmp_path):
    capture = capture_of(tmp_path, count=6)
    (capture.folder / "color/1.png").write_bytes(b"no image")
    (capture.folder / "depth/2.png").write_bytes(b"")
    Image.fromarray(np.zeros((48, 64), np.uint16)).save(capture.folder / "depth/3.png")
    Image.fromarray(np.ones((48, 48), np.uint16)).save(capture.folder / "depth/4.png")
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(capture.folder / "depth/5.png")
    matrix = own_scan.INTRINSIC.T.ravel().tolist()
    camera_file = {"width": 64, "height": 48, "intrinsic_matrix": matrix}
    write_json(capture.folder / "intrinsic.json", camera_file)
    shutil.rmtree(capture.folder / "intrinsic")
    manifest = prepare(capture, SETTINGS)
    assert manifest["images"] == {"0": "0.png"}
    bad = manifest["frames"]["bad"]
    assert bad["unreadable color image"] == ["1.png"]
    assert bad["unreadable depth image"] == ["2.png"] and bad["blank depth"] == ["3.png"]
    assert bad["an image whose shape is not its camera's (cropped or turned?)"] == ["4.png"]
    assert sum(map(len, bad.values())) == 5


# ------------------------------------------------------------------------------ the way back


def test_labels_return_to_every_scanned_point(tmp_path):
    capture = capture_of(tmp_path)
    coord, surface, face = raw_scan.room(0.03)
    (capture.folder / "mesh.ply").write_bytes(raw_scan.mesh_file(0.03))
    manifest = prepare(capture, FolderSettings(height=24, width=32, spacing=0.15))
    assert manifest["num_points"] < 0.1 * manifest["num_scanned"] == 0.1 * len(coord)
    prepared = read_points(capture.target)["coord"]
    label = (prepared[:, 1] > 2.95).astype(np.int16)  # the wall
    write_store(tmp_path / "store", {"a": (label, np.full(len(label), 0.75))})
    job = (capture.target, tmp_path / "store", "a", tmp_path / "ply/a.ply")
    table = ClassTable(["floor", "wall"])
    assert write_labeled(job, table) is None
    ply = PlyData.read(str(tmp_path / "ply/a.ply"))
    vertex = ply["vertex"]
    assert np.allclose(np.stack([vertex[axis] for axis in "xyz"], 1), coord, atol=1e-6)
    assert len(ply["face"].data) == len(face) and ply.comments == ["label 0 floor", "label 1 wall"]
    far = (np.abs(coord[:, 1] - 3) > 0.2) | (coord[:, 2] > 0.2)
    assert (vertex["label"] == surface)[far].all() and (vertex["confidence"] == 0.75).all()
    assert len(np.unique(np.stack([vertex["red"], vertex["green"], vertex["blue"]]), axis=1).T) == 2
    (capture.folder / "mesh.ply").unlink()
    assert "is gone; the prepared points" in write_labeled(job, table)
    assert len(PlyData.read(str(tmp_path / "ply/a.ply"))["vertex"]) == len(prepared)
    with pytest.raises(ValueError, match="has the label 1"):
        write_labeled(job, ClassTable(["floor"]))
    write_store(tmp_path / "store", {"a": label[1:]})
    with pytest.raises(ValueError, match=f"expected {len(label)} pseudo-labels"):
        write_labeled(job, table)


# ------------------------------------------------------------------------------------ the tools


def test_from_the_template_to_prepared_scenes(tmp_path, run_tool):
    raw, out = tmp_path / "my scans", tmp_path / "out"
    assert run_tool("prepare", "scans", "--template", raw)[0] == 0
    assert "is not empty" in run_tool("prepare", "scans", "--template", raw)[1]
    own_scan.colmap(raw / "Büro 2", 3)
    own_scan.write_mesh(raw / "leer")
    (raw / "broken").mkdir()
    (raw / "tags.csv").write_text("scene,tags\nkitchen,floor;wall;box\nBüro 2,floor;wall\nx,box\n")
    (raw / "val.txt").write_text("leer\n")
    arguments = ("--raw", raw, "--out", out, "--size", "32x24")
    status, printed = run_tool("prepare", "scans", *arguments)
    assert status == 1
    for line in (
        "3 classes: floor, wall, box",
        "1 tagged scenes have no folder: x",
        "1 training scenes have no tag: broken; stage one refuses them",
        "3 done, 0 already finished, 1 failed",
        "failed train/broken: ",
        "has no cloud; expected a .",
        "7 frames kept",
        "1 scenes have no view, so 3D alone: leer",
        "mm off the cloud's",
    ):
        assert line in printed
    assert ClassTable.read(out).names == ("floor", "wall", "box")
    tags = {"kitchen": ["floor", "wall", "box"], "Büro 2": ["floor", "wall"]}
    assert read_scene_tags(out / "scene_tags.json") == tags
    assert not list(out.rglob("segment*")) and not list(out.rglob("*.label.png"))
    assert len(read_views(out / "train/Büro 2")) == 3
    (raw / "broken").rmdir()
    (raw / "val.txt").write_text("leer\nBüro 2\n")
    (raw / "tags.csv").write_text("scene,tags\nkitchen,floor;wall;box\nBüro 2,wall\n")
    status, printed = run_tool("prepare", "scans", *arguments)
    assert status == 0 and "0 done, 3 already finished, 0 failed" in printed
    assert "1 prepared scenes moved to their new split: Büro 2" in printed
    assert read_scene_tags(out / "scene_tags.json")["Büro 2"] == ["wall"]
    assert read_json(out / "val/Büro 2/manifest.json")["poses"] == "colmap"


def test_finished_scenes_that_changed_or_went_are_told(tmp_path, run_tool):
    raw, out = tmp_path / "raw", tmp_path / "out"
    run_tool("prepare", "scans", "--template", raw)
    shutil.copytree(raw / "kitchen", raw / "hall")
    command = ("prepare", "scans", "--raw", raw, "--out", out, "--size", "32x24")
    assert run_tool(*command)[0] == 0
    for path in (raw / "kitchen", *(raw / "kitchen").rglob("*")):
        os.utime(path, (1e9, 1e9))
    printed = run_tool(*command)[1]
    assert "have changed" not in printed and "any more" not in printed
    later = (out / "train/kitchen/manifest.json").stat().st_mtime + 5
    os.utime(raw / "kitchen/pose/1.txt", (later, later))
    shutil.rmtree(raw / "hall")
    printed = run_tool(*command)[1]
    assert "1 finished scenes have changed since: kitchen; delete" in printed
    assert "1 prepared scenes have no folder any more: train/hall" in printed


def test_space_is_checked_before_the_start(tmp_path, run_tool, monkeypatch):
    capture = capture_of(tmp_path, count=5)
    lost = FolderCapture("lost", "train", tmp_path / "out", tmp_path / "raw/lost")
    (lost.folder / "color").mkdir(parents=True)
    (cloud,) = capture.folder.glob("*.ply")
    needed = estimate_bytes([capture, lost], FolderSettings(stride=2, height=24, width=32))
    assert 0 <= cloud.stat().st_size + 3 * 24 * 32 * 2 - needed < 47  # whole points
    (tmp_path / "raw/tags.csv").write_text("scene,tags\na,wall\n")
    free = shutil.disk_usage(tmp_path)._replace(free=needed - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    arguments = ("--raw", tmp_path / "raw", "--out", tmp_path / "out", "--size", "32x24")
    status, printed = run_tool("prepare", "scans", *arguments)
    assert status == 1 and "--stride" in printed
    assert "2 scenes to prepare" in printed and not list((tmp_path / "out").glob("train/*"))


def test_bad_arguments_get_one_line(tmp_path, run_tool):
    (tmp_path / "raw/a").mkdir(parents=True)
    for arguments, message in (
        ((), "give --raw and --out, or --template DIR"),
        (("--raw", tmp_path / "raw", "--out", tmp_path / "out"), "has no tags.csv or tags.json"),
        (("--raw", "x", "--out", "y", "--spacing", "-1"), "--spacing -1.0: expected a number of"),
        (("--raw", "x", "--out", "y", "--scale", "0"), "--scale 0.0: expected a number above 0"),
        (("--raw", "x", "--out", "y", "--size", "320"), "expected WxH"),
        (("--raw", "x", "--out", "y", "--shard", "3/2"), "i counts from 1 to n"),
    ):
        status, printed = run_tool("prepare", "scans", *arguments)
        assert status and message in printed


def test_labeled_files_of_a_data_set(tmp_path, run_tool):
    run_tool("prepare", "scans", "--template", tmp_path / "raw")
    paths = ("--raw", tmp_path / "raw", "--out", tmp_path / "o")
    run_tool("prepare", "scans", *paths, "--size", "32x24")
    store, out = tmp_path / "store", tmp_path / "ply"
    arguments = (tmp_path / "o", "--store", store, "--out", out)
    assert "no pseudo-labels in" in run_tool("export-ply", *arguments)[1]
    points = len(read_points(tmp_path / "o/train/kitchen")["coord"])
    write_store(store, {"kitchen": np.arange(points) % 4 - 1})
    status, printed = run_tool("export-ply", *arguments)
    assert status == 0 and "1 done, 0 already finished, 0 failed" in printed
    ply = PlyData.read(str(out / "kitchen.ply"))
    assert set(ply["vertex"]["label"]) == {-1, 0, 1, 2} and ply.comments[2] == "label 2 box"
    (tmp_path / "few.txt").write_text("floor\n")
    status, printed = run_tool("export-ply", *arguments, "--classes", tmp_path / "few.txt")
    assert status == 1 and "has the label 2" in printed
