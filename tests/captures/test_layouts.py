"""Scans as people have them: files elsewhere and under other names, numbers and values as others
write them. What means the same gives the same views.
"""

import json
import os
import shutil

import numpy as np
import own_scan
import pytest
from PIL import Image
from scene_views import cameras_of
from scipy.spatial import cKDTree

from pointcept_wsegpc.captures.folder.layout import FileFinder, loose_form
from pointcept_wsegpc.captures.folder.photos import upright
from pointcept_wsegpc.captures.folder.poses.cameras import Camera, read_intrinsic
from pointcept_wsegpc.captures.folder.raw import scene_notes
from pointcept_wsegpc.captures.folder.scene import FolderCapture, FolderSettings
from pointcept_wsegpc.captures.folder.template import example_room, write_template
from pointcept_wsegpc.captures.frames import BadFrame
from pointcept_wsegpc.captures.images import measured, read_color, read_depth
from pointcept_wsegpc.captures.numbers import read_numbers
from pointcept_wsegpc.captures.preparing import prepare
from pointcept_wsegpc.contracts.scene import read_points
from pointcept_wsegpc.files import read_json, read_text

SIZE = {"height": 24, "width": 32}


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """The template's room, some of its depth missing, and its views."""
    folder = tmp_path_factory.mktemp("template")
    write_template(folder / "raw")
    for path in (folder / "raw/kitchen/depth").iterdir():
        depth = np.array(Image.open(path))
        depth[:9, :9] = 0
        Image.fromarray(depth).save(path)
    return folder / "raw/kitchen", views_of(prepared(folder / "raw/kitchen")[0])


def prepared(scene, **settings):
    """The prepared scene of a folder, and its manifest."""
    capture = FolderCapture(scene.name, "train", scene.parents[1] / "out", scene)
    return capture.target, prepare(capture, FolderSettings(**SIZE, **settings))


def views_of(scene):
    return [view for _, *view in cameras_of(scene)]


def rename(scene, kind, pattern, folder=None):
    """Files of one kind of folder to `pattern` of their numbers, the folder to another name."""
    for path in list((scene / kind).iterdir()):
        path.rename(scene / kind / pattern.format(int(path.stem)))
    (scene / kind).rename(scene / (folder or kind))


def other_case(scene):
    rename(scene, "color", "{}.PNG", "Color")
    rename(scene, "depth", "{}.Png", "DEPTH")
    rename(scene, "pose", "{}.TXT", "Pose")
    (scene / "intrinsic.txt").rename(scene / "Intrinsic.txt")


def kinds_in_names(scene):
    rename(scene, "color", "frame{:06d}.png", "RGB")
    rename(scene, "depth", "depth{:06d}.png")
    rename(scene, "pose", "{}_pose.txt")


def sorted_7_scenes(scene):
    for kind in ("color", "depth"):
        rename(scene, kind, f"frame-{{:06d}}.{kind}.png")
    rename(scene, "pose", "frame-{:06d}.pose.txt")


def other_depth_folder(scene):
    rename(scene, "depth", "{}_depth.png", "depths")
    (scene / "pose/._0.txt").write_bytes(b"\0\5\26\7")  # as macOS leaves beside files


def other_depth_format(scene):
    for path in list((scene / "depth").iterdir()):
        depth = Image.open(path)
        if path.stem == "0":
            with open(path.with_suffix(".NPY"), "wb") as file:
                np.save(file, np.asarray(depth))
        else:
            depth.save(path.with_suffix(".pgm"))
        path.unlink()


def no_measurement(scene):
    for path in (scene / "depth").iterdir():
        depth = np.array(Image.open(path))
        depth[depth == 0] = 65535 - int(path.stem) % 2
        Image.fromarray(depth).save(path)


def decimal_commas(scene):
    for path in (scene / "intrinsic.txt", *(scene / "pose").iterdir()):
        path.write_text(path.read_text().replace("56 56", "56,0 56,0").replace(".", ","))


def of_another_editor(scene):
    for path in (scene / "pose").iterdir():
        path.write_bytes(path.read_text().replace("\n", "\r\n").encode("utf-16"))
    text = "\ufeff# mine\r" + (scene / "intrinsic.txt").read_text()
    (scene / "intrinsic.txt").write_text(text, encoding="utf-8")


def upside_down(scene):
    """fy < 0, as the images run from below."""
    for path in (*(scene / "color").iterdir(), *(scene / "depth").iterdir()):
        Image.fromarray(np.asarray(Image.open(path))[::-1]).save(path)
    (scene / "intrinsic.txt").write_text("56 -56 31.5 23.5")


def y_up(scene):
    """fy < 0, as the y of cameras points up: ICL-NUIM."""
    for path in (scene / "pose").iterdir():
        own_scan.write_text(path, *(np.loadtxt(path) @ np.diag([1.0, -1, 1, 1])))
    (scene / "intrinsic.txt").write_text("56 -56 31.5 23.5")


def nerf(scene, image, depth):
    """transforms.json whose paths are `image` and `depth` of a number."""
    frames = []
    for i in range(4):
        matrix = np.loadtxt(scene / f"pose/{i}.txt") @ own_scan.FLIP
        frame = {"file_path": image.format(i), "depth_file_path": depth.format(i)}
        frames.append({**frame, "transform_matrix": matrix.tolist()})
    camera = {"w": 64, "h": 48, "fl_x": 56, "fl_y": 56, "cx": 32, "cy": 24}
    (scene / "transforms.json").write_text(json.dumps({**camera, "frames": frames}))
    shutil.rmtree(scene / "pose")


def windows_paths(scene):
    nerf(scene, ".\\color\\{}.PNG", "depth\\{}.png")


def paths_of_another_machine(scene):
    nerf(scene, "C:\\Users\\me\\scan\\color\\{}.png", "/home/me/scan/depth/{}.png")


@pytest.mark.parametrize(
    "change",
    [
        *(other_case, kinds_in_names, sorted_7_scenes, other_depth_folder, other_depth_format),
        *(no_measurement, decimal_commas, of_another_editor, upside_down, y_up),
        *(windows_paths, paths_of_another_machine),
    ],
)
def test_the_same_views(change, template, tmp_path):
    scene = tmp_path / "raw/kitchen"
    shutil.copytree(template[0], scene)
    change(scene)
    target, manifest = prepared(scene)
    assert manifest["rendered_depth"]["views"] == [] and manifest["frames"]["bad"] == {}
    for own, theirs in zip(views_of(target), template[1], strict=True):
        for one, two in zip(own[:2], theirs[:2], strict=True):
            assert np.allclose(one, two, atol=1e-6)
        assert np.array_equal(own[2], theirs[2])


# ------------------------------------------------------------------------------------ values


def test_values_that_are_no_measurement():
    near = np.full((40, 50), 3000) + np.arange(50)
    for value, kind, scale in (
        *((65535, np.uint16, 1000), (65534, np.uint16, 5000), (13107, np.uint16, 1000)),
        *((65535, np.int32, 5000), (60000, np.uint16, 5000)),
        *((1e10, np.float32, 1), (65504, np.float16, 1), (np.inf, np.float32, 1)),
        *((np.nan, np.float32, 1), (100.0, np.float64, 1)),
    ):
        depth = near.astype(kind) if np.dtype(kind).kind != "f" else (near / 1000).astype(kind)
        expected = depth.astype(np.float32) / np.float32(scale if depth.dtype.kind != "f" else 1)
        depth[:5], expected[:5] = value, 0
        assert np.array_equal(measured(depth, scale), expected), value


def test_far_and_even_surfaces_are_measurements():
    for depth in (
        np.full((40, 50), 4000),  # a wall in front of the camera
        np.repeat(np.arange(9000, 13000, 80), 40).reshape(50, 40),  # a long corridor
        np.where(np.arange(2000) < 15, 12000, 3000).reshape(40, 50),  # a speck of a far wall
    ):
        assert np.array_equal(measured(depth.astype(np.uint16), 1000), np.float32(depth) / 1000)


def test_grays_of_more_than_8_bits(tmp_path):
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    stored = {
        "16.png": gray.astype(np.uint16) * 257,
        "12.png": np.rint(gray * (4095 / 255)).astype(np.uint16),
        "8.png": gray,
        "float.tif": (gray / 255).astype(np.float32),
    }
    for name, image in stored.items():
        Image.fromarray(image).save(tmp_path / name)
        assert np.array_equal(read_color(tmp_path / name), np.repeat(gray[..., None], 3, 2)), name
    Image.fromarray(np.full((9, 9), 40000, np.uint16)).save(tmp_path / "16.png")
    with pytest.raises(BadFrame, match="one value"):
        read_color(tmp_path / "16.png")


def test_a_pgm_keeps_its_values(tmp_path):
    depth = np.arange(1200, 1212, dtype=">u2").reshape(3, 4)
    for top in (4000, 65535):
        path = tmp_path / f"{top}.pgm"
        path.write_bytes(b"P5\n# depth\n4 3\n%d\n" % top + depth.tobytes())
        assert np.array_equal(read_depth(path, 1000), depth.astype(np.float32) / 1000)


def test_a_mirrored_axis_is_turned():
    image = np.arange(12).reshape(3, 4)
    given = Camera(np.array([[-9.0, 0, 1], [0, -8, 0.5], [0, 0, 1]]), (3, 4), (0.1,))
    turned, camera = upright(image, given)
    assert np.array_equal(turned, image[::-1, ::-1]) and camera.distortion == (0.1,)
    assert camera.intrinsic.tolist() == [[9, 0, 2], [0, 8, 1.5], [0, 0, 1]]


# ------------------------------------------------------------------------------------- texts


def test_text_as_editors_save_it(tmp_path):
    path, text = tmp_path / "a.txt", "Büro\nKüche\n"
    for code in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"):
        for end in ("\n", "\r\n", "\r"):
            path.write_bytes(text.replace("\n", end).encode(code))
            assert read_text(path) == text
    path.write_text('{"a": "ü"}', encoding="utf-16")
    assert read_json(path) == {"a": "ü"}
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"a\.txt cannot be read .*; save it as UTF-8"):
        read_text(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("577,87 577,87 319,5 239,5", [577.87, 577.87, 319.5, 239.5]),
        ("577,87; 577,87; 319,5; 239,5\n", [577.87, 577.87, 319.5, 239.5]),
        ("-0,5, 1 2,5e-3", [-0.5, 1, 0.0025]),
        ("500, 501, 320, 240", [500, 501, 320, 240]),
        ("1,0,0\n0,1,0", [1, 0, 0, 0, 1, 0]),
        ("500.5,501.5,320,240 # fx", [500.5, 501.5, 320, 240]),
        ("500.5, 501.5; 320 240", [500.5, 501.5, 320, 240]),
        ("", []),
    ],
)
def test_commas_between_and_within_numbers(text, expected, tmp_path):
    (tmp_path / "a.txt").write_text(text)
    assert read_numbers(tmp_path / "a.txt") == expected


def test_numbers_that_could_be_either_are_refused(tmp_path):
    (tmp_path / "intrinsic.txt").write_text("577,87 577,87 319.5 239.5")
    with pytest.raises(ValueError, match=r"intrinsic\.txt cannot be read \(.*decimal commas"):
        read_intrinsic(tmp_path / "intrinsic.txt")


# ------------------------------------------------------------------------------------- names


def test_names_that_differ_in_their_kind():
    for name in ("frame-000012.color", "depth000012", "12_Depth", "IMG_0012", "rgb 12", "012"):
        assert loose_form(name) == "12"
    assert loose_form("cam1/frame_007") == "cam1/7" != loose_form("cam2/007")


def test_a_path_leads_to_the_one_file_that_it_means(tmp_path):
    for name in ("left/1.jpg", "right/1.jpg", "left/2.JPG", "right/3.png", "é.png"):
        own_scan.write_image(tmp_path / name.rpartition("/")[0], name.rpartition("/")[2], 0)
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    finder = FileFinder(tmp_path, files)
    for name, found in (
        *(("left/1.jpg", "left/1.jpg"), ("D:\\x\\Right\\1.jpg", "right/1.jpg"), ("1.jpg", None)),
        *(("2.jpg", "left/2.JPG"), ("/home/me/3", "right/3.png"), ("x/3.tif", "right/3.png")),
        *(("e\u0301.PNG", "é.png"), ("4.png", None), ("", None), ("..", None)),
    ):
        assert finder.find(name) == (found and tmp_path / found), name


# ------------------------------------------------------------------------- what does not match


def scan(tmp_path, count=4):
    own_scan.scannet(tmp_path / "raw/a", count)
    return tmp_path / "raw/a"


def test_images_that_are_not_read_are_named(tmp_path):
    scene = scan(tmp_path)
    for path in (scene / "color").iterdir():
        path.rename(path.with_suffix(".HEIC"))
    with pytest.raises(FileNotFoundError, match=r"4 scannet poses .*4 \.HEIC such as color/0.HEIC"):
        prepared(scene)
    assert prepared(scene, allow_few_images=True)[1]["num_views"] == 0
    for kind in ("pose", "intrinsic"):
        shutil.rmtree(scene / kind)
    with pytest.raises(FileNotFoundError, match=r"has 4 images, no poses: .*color/0\.HEIC"):
        prepared(scene)


def test_hardly_any_image_used_is_an_error(tmp_path):
    scene = scan(tmp_path, 12)
    for i in range(1, 12):
        (scene / f"pose/{i}.txt").unlink()
    with pytest.raises(ValueError, match=r"1 of 12 images are used .*11 with no pose, such as 1\."):
        prepared(scene)
    assert prepared(scene, allow_few_images=True)[1]["num_views"] == 1


def test_depth_that_fits_no_image_is_named(tmp_path):
    scene = scan(tmp_path)
    for path in (scene / "depth").iterdir():
        path.rename(path.with_suffix(".exr"))
    manifest = prepared(scene)[1]
    assert manifest["rendered_depth"]["views"] == [0, 1, 2, 3]
    told = " ".join(scene_notes(manifest))
    assert "4 depth files fit none of them, such as depth/0.exr for 0.png" in told


@pytest.mark.parametrize("writer", [own_scan.nerfstudio, own_scan.tum, own_scan.scannet])
def test_a_photo_whose_depth_is_missing_is_kept(writer, tmp_path):
    writer(tmp_path / "raw/a", 4)
    next(path for path in sorted(tmp_path.glob("raw/a/depth*/*.png"))).unlink()
    manifest = prepared(tmp_path / "raw/a")[1]
    assert manifest["num_views"] == 4 and manifest["frames"]["bad"] == {}
    assert manifest["rendered_depth"]["views"] == [0]


def test_what_is_no_file_is_never_opened(tmp_path):
    scene = scan(tmp_path)
    for name in ("color/1.png", "depth/2.png"):
        (scene / name).unlink()
        os.mkfifo(scene / name)
    (scene / "color/folder.png").mkdir()
    bad = prepared(scene)[1]["frames"]["bad"]
    assert bad == {"unreadable color image": ["1.png"], "unreadable depth image": ["2.png"]}
    (scene / "pose/3.txt").unlink()
    os.mkfifo(scene / "pose/3.txt")
    with pytest.raises(ValueError, match=r"pose/3\.txt is not a regular file"):
        prepared(scene)


def test_intrinsics_of_another_size_are_named(tmp_path):
    scene = scan(tmp_path)
    shutil.rmtree(scene / "intrinsic")
    (scene / "intrinsic.txt").write_text("600 600 320 240")
    with pytest.raises(ValueError, match=r"\(320, 240\) outside of its 64 x 48 image"):
        prepared(scene)


# -------------------------------------------------------------------------------------- fused


@pytest.mark.parametrize("scale", [1.0, 0.001])
def test_a_missing_cloud_is_fused(scale, template, tmp_path):
    scene = tmp_path / "raw/kitchen"
    shutil.copytree(template[0], scene)
    (scene / "points.ply").unlink()
    for path in (scene / "pose").iterdir():
        pose = np.loadtxt(path)
        pose[:3, 3] /= scale
        own_scan.write_text(path, *pose)
    target, manifest = prepared(scene, scale=scale)
    assert manifest["fused"] == {"views": 4, "voxel": 0.01} and manifest["num_views"] == 4
    points = read_points(target)
    coord, normal, color = example_room()
    distance, nearest = cKDTree(coord).query(points["coord"])
    assert len(distance) > 2000 and (distance < 0.05).mean() > 0.98
    along = np.abs(np.einsum("ni,ni->n", points["normal"], normal[nearest]))
    assert (along > 0.9).mean() > 0.9
    near = np.abs(points["color"].astype(int) - color[nearest]).max(axis=1) < 40
    assert near.mean() > 0.9
    assert "is fused from 4 depth images" in " ".join(scene_notes(manifest))


def test_without_depth_no_cloud_is_fused(tmp_path):
    scene = scan(tmp_path)
    (scene / "mesh.ply").unlink()
    shutil.rmtree(scene / "depth")
    with pytest.raises(FileNotFoundError, match=r"has no cloud.* or depth images with poses"):
        prepared(scene)
    (scene / "mesh.obj").touch()  # not what was asked for, either
    with pytest.raises(FileNotFoundError, match=r"mesh\.obj cannot be read: export a \.ply"):
        prepared(scene)
