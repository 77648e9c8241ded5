"""One capture in every pose convention gives the views and links that its ScanNet form gives."""

import json
import shutil
import struct
import unicodedata

import numpy as np
import other_poses
import own_scan
import pytest
import raw_scan
from PIL import Image
from scene_views import cameras_of, color_difference, links

from pointcept_wsegpc.captures.folder.layout import natural_key
from pointcept_wsegpc.captures.folder.poses import POSES, read_trajectory
from pointcept_wsegpc.captures.folder.poses.base import PoseFormat, Shot, Trajectory
from pointcept_wsegpc.captures.folder.poses.cameras import read_intrinsic
from pointcept_wsegpc.captures.folder.scene import FolderCapture, FolderSettings
from pointcept_wsegpc.captures.preparing import find_captures, prepare
from pointcept_wsegpc.captures.scannet.raw import axis_alignment
from pointcept_wsegpc.captures.scannet.scene import ScanNetCapture, ScanNetSettings
from pointcept_wsegpc.captures.scannet.sens import SensReader
from pointcept_wsegpc.contracts.scene import read_points
from pointcept_wsegpc.contracts.views import read_views
from pointcept_wsegpc.synthetic.scans import generate_dataset

COUNT, SIZE = 11, (24, 32)
WRITERS = {**own_scan.WRITERS, **other_poses.WRITERS}


def trajectory_of(scene):
    return read_trajectory(scene)[1]


def prepared(scene, **settings):
    """The capture of a scene's folder, and its manifest."""
    capture = FolderCapture("a", "train", scene.parents[1] / "out", scene)
    values = {"height": SIZE[0], "width": SIZE[1], **settings}
    return capture, prepare(capture, FolderSettings(**values))


def edit_json(path, change):
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The capture prepared from ScanNet's own format."""
    tmp_path = tmp_path_factory.mktemp("scannet")
    raw_scan.write_lists(tmp_path / "raw", train=["scene0000_00"])
    folder = raw_scan.write_scan(tmp_path / "raw", "scene0000_00", num_frames=COUNT)
    capture = ScanNetCapture("scene0000_00", "train", tmp_path / "out", folder)
    prepare(capture, ScanNetSettings(stride=2, height=SIZE[0], width=SIZE[1]))
    return capture.target


@pytest.mark.parametrize("convention", WRITERS)
def test_links_are_scannets_to_the_pixel(convention, reference, tmp_path):
    WRITERS[convention](tmp_path / "raw" / "a", COUNT)
    capture, manifest = prepared(tmp_path / "raw" / "a", stride=2, spacing=0)
    assert manifest["poses"] == convention.split()[0] and manifest["frames"]["bad"] == {}
    expected, found = read_points(reference), read_points(capture.target)
    for key, array in expected.items():
        assert found[key].dtype == array.dtype and np.array_equal(found[key], array)
    expected, found = read_views(reference), read_views(capture.target)
    assert (found.size == expected.size).all() and len(found) == 6
    assert np.allclose(found.intrinsic, expected.intrinsic, atol=1e-5)
    assert np.allclose(found.world_to_camera, expected.world_to_camera, atol=1e-5)
    same = links(capture.target, 0.05)
    assert len(same) > 3000 and same == links(reference, 0.05)
    pairs = zip(cameras_of(capture.target), cameras_of(reference), strict=True)
    for (own, *_, depth), (theirs, *_, expected) in pairs:
        assert np.array_equal(depth, expected)
        # ScanNet's passed through a JPEG and a wider camera before.
        assert color_difference(capture.target, own, reference, theirs).mean() < 12
    assert manifest["fit"]["depth_error"] < 0.02 and manifest["fit"]["seen"] > 0.5


def test_an_unpacked_sens_gives_its_own_scene(tmp_path):
    """Color and depth cameras apart, lost and blank frames: a room of the generator, both ways."""
    sizes = {"points": 3000, "frames": 12, "color_size": (80, 60), "depth_size": (64, 48)}
    generate_dataset(tmp_path / "raw", 1, 0, **sizes)
    (theirs,) = find_captures("scannet", tmp_path / "raw", tmp_path / "out")
    first = prepare(theirs, ScanNetSettings(stride=1, height=SIZE[0], width=SIZE[1]))
    scene = tmp_path / "own" / "a"
    with SensReader(theirs.sens) as reader:
        for kind in ("color", "depth"):
            matrix = getattr(reader, f"intrinsic_{kind}")
            own_scan.write_text(scene / f"intrinsic/intrinsic_{kind}.txt", *matrix)
        for frame in reader.frames():
            own_scan.write_text(scene / f"pose/{frame.index}.txt", *frame.camera_to_world)
            for kind in ("color", "depth"):
                (scene / kind).mkdir(exist_ok=True)
                image = Image.fromarray(getattr(frame, kind)())
                image.save(scene / kind / f"{frame.index}.png")
    shutil.copy(theirs.mesh, scene)
    alignment = axis_alignment(theirs.folder)
    own_scan.write_text(scene / "axis_alignment.txt", *alignment)
    capture, second = prepared(scene, spacing=0)
    theirs_bad, own_bad = first["frames"]["bad"], second["frames"]["bad"]
    assert set(own_bad) == set(theirs_bad) == {"blank depth", "non-finite pose"}
    for why, frames in theirs_bad.items():
        assert own_bad[why] == [f"{frame}.png" for frame in frames]
    images = {path.name: path.read_bytes() for path in theirs.target.glob("views/*")}
    labels = {name for name in images if ".label." in name}
    own_images = {path.name: path.read_bytes() for path in capture.target.glob("views/*")}
    assert own_images == {name: images[name] for name in images.keys() - labels}
    one, two = read_views(theirs.target), read_views(capture.target)
    for key in ("frame", "intrinsic", "world_to_camera", "axis_alignment"):
        assert np.array_equal(getattr(one, key), getattr(two, key))
    for key, array in read_points(theirs.target).items():
        if key != "normal":  # estimated where the mesh has no face
            assert np.array_equal(np.load(capture.target / f"{key}.npy"), array)


def test_cameras_in_folders_of_their_own(tmp_path):
    scene = tmp_path / "a"
    own_scan.colmap(scene, 2)
    path = scene / "sparse/0/images.txt"
    text = path.read_text(encoding="utf-8")
    for i in range(2):
        text = text.replace(f"кухня {i}.png", f"cam{i}/1.png")
        for kind in ("images", "depth"):
            (scene / kind / f"cam{i}").mkdir()
            (scene / kind / f"кухня {i}.png").rename(scene / kind / f"cam{i}/1.png")
    path.write_text(text, encoding="utf-8")
    shots = trajectory_of(scene).shots.items()
    assert [(image.parent.name, shot.depth.parent.name) for image, shot in shots] == [
        ("cam1", "cam1"),
        ("cam0", "cam0"),
    ]


def test_frames_are_in_natural_order(tmp_path):
    own_scan.open3d(tmp_path / "a", COUNT)
    names = [path.stem for path in trajectory_of(tmp_path / "a").images]
    assert names == [f"frame {i}" for i in range(COUNT)]
    assert sorted(["b2", "b10", "a"], key=natural_key) == ["a", "b2", "b10"]
    for alike in (["b2", "b02"], ["b02", "b2"]):  # in whichever order the disk lists them
        assert sorted(alike, key=natural_key) == ["b02", "b2"]


# ---------------------------------------------------------------------- what does not match


@pytest.mark.parametrize(
    ("convention", "image", "depth"),
    [
        ("scannet", "color/3.png", "3.txt"),
        ("colmap", "images/кухня 3.png", "кухня 3.png"),
        ("nerfstudio", "images/frame_00003.png", "./images/frame_00003.png"),
    ],
)
def test_a_pose_without_image_is_named(convention, image, depth, tmp_path):
    own_scan.WRITERS[convention](tmp_path / "a", 6)
    (tmp_path / "a" / image).unlink()
    trajectory = trajectory_of(tmp_path / "a")
    assert trajectory.unmatched == [depth]
    assert len(trajectory.images) == len(trajectory.shots) == 5


@pytest.mark.parametrize("convention", ["scannet", "colmap", "tum", "arkit", "nerfstudio"])
def test_an_image_without_pose_is_left_out(convention, tmp_path):
    scene = tmp_path / "raw" / "a"
    own_scan.WRITERS[convention](scene, 6)
    if convention == "scannet":
        (scene / "pose/3.txt").unlink()
    elif convention == "colmap":
        rows = (scene / "sparse/0/images.txt").read_text().splitlines()
        (scene / "sparse/0/images.txt").write_text("\n".join(rows[:4] + rows[6:]))
    elif convention == "nerfstudio":
        edit_json(scene / "transforms.json", lambda data: data["frames"].pop(2))
    else:
        path = next(iter([*scene.glob("groundtruth.txt"), *scene.glob("*.traj")]))
        rows = path.read_text().splitlines()
        path.write_text("\n".join(rows[:3] + rows[4:]))
    _, manifest = prepared(scene)
    assert manifest["num_views"] == 5 and manifest["frames"]["read"] == 6
    assert [(why, len(names)) for why, names in manifest["frames"]["bad"].items()] == [
        ("no pose", 1)
    ]


def test_open3d_needs_a_camera_for_every_image(tmp_path):
    own_scan.open3d(tmp_path / "a", 5)
    (tmp_path / "a/image/frame 2.png").unlink()
    with pytest.raises(ValueError, match="5 cameras, there are 4 images"):
        read_trajectory(tmp_path / "a")


def test_two_conventions_need_a_choice(tmp_path):
    own_scan.scannet(tmp_path / "a", 2)
    own_scan.write_text(tmp_path / "a/trajectory.txt", (0, 1, 2, 3, 0, 0, 0, 1))
    with pytest.raises(ValueError, match=r"poses of \w+ and \w+; choose with --pose-format"):
        read_trajectory(tmp_path / "a")
    name, trajectory = read_trajectory(tmp_path / "a", "scannet")
    assert name == "scannet" and len(trajectory.shots) == 2
    with pytest.raises(FileNotFoundError, match="no colmap poses"):
        read_trajectory(tmp_path / "a", "colmap")


def test_images_without_any_poses_are_an_error(tmp_path):
    own_scan.write_image(tmp_path / "a/images", "x.png", 0)
    with pytest.raises(FileNotFoundError, match=r"1 images, no poses: add .*pose/\*\.txt"):
        read_trajectory(tmp_path / "a")


# --------------------------------------------------------------------- damaged and odd files


@pytest.mark.parametrize(
    ("convention", "file", "text", "message"),
    [
        ("scannet", "pose/1.txt", "1 2 3", "expected 4x4 numbers, got 3"),
        ("scannet", "pose/1.txt", "one", "expected numbers"),
        ("scannet", "intrinsic/intrinsic_color.txt", "1 2", "expected a 3x3 or 4x4 matrix"),
        ("tum", "groundtruth.txt", "1 2 3\n", "expected 8 numbers a line"),
        ("tum", "groundtruth.txt", "a b\n", "expected timestamp"),
        ("open3d", "trajectory.json", "{}", "it has no 'parameters'"),
        ("open3d", "trajectory.json", "{", "trajectory.json cannot be read"),
        ("colmap", "sparse/0/cameras.txt", "3 FOV 9 9 1 1 1 1 1", "model FOV is no pinhole"),
        ("colmap", "sparse/0/cameras.txt", "3 PINHOLE 9 9 1", "has 4 parameters, got 1"),
        ("colmap", "sparse/0/cameras.txt", "4 PINHOLE 9 9 9 9 4 4", "is of camera 3, which"),
        ("arkit", "lowres_wide.traj", "1 2 3\n", "expected 7 numbers"),
        ("nerfstudio", "transforms.json", '{"frames": [{}]}', "it has no 'file_path'"),
    ],
)
def test_a_damaged_file_gets_one_line(convention, file, text, message, tmp_path):
    own_scan.WRITERS[convention](tmp_path / "a", 2)
    (tmp_path / "a" / file).write_text(text)
    with pytest.raises(ValueError) as error:
        read_trajectory(tmp_path / "a")
    assert message in str(error.value) and str(tmp_path / "a") in str(error.value)
    assert "\n" not in str(error.value)


def test_a_cut_binary_model_is_one_line(tmp_path):
    own_scan.colmap(tmp_path / "a", 3, binary=True)
    path = tmp_path / "a/sparse/0/images.bin"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"images.bin cannot be read"):
        read_trajectory(tmp_path / "a")
    cameras = tmp_path / "a/sparse/0/cameras.bin"
    cameras.write_bytes(struct.pack("<QiiQQ", 1, 3, 99, 64, 48))
    with pytest.raises(ValueError, match="unknown camera model 99"):
        read_trajectory(tmp_path / "a")


def test_fisheye_is_refused(tmp_path):
    own_scan.colmap(tmp_path / "a", 2, binary=True, model="OPENCV_FISHEYE", extra=(0.1, 0, 0, 0))
    with pytest.raises(ValueError, match=r"OPENCV_FISHEYE is no pinhole.*image_undistorter"):
        read_trajectory(tmp_path / "a")
    for change in ({"camera_model": "OPENCV_FISHEYE"}, {"k4": 0.1}, {"is_fisheye": True}):
        own_scan.nerfstudio(tmp_path / "b", 2, **change)
        with pytest.raises(ValueError, match="no pinhole"):
            read_trajectory(tmp_path / "b")


@pytest.mark.parametrize("focal", ["0", "nan", "0.94"])
def test_focal_lengths_that_are_no_pixels_are_refused(focal, tmp_path):
    own_scan.scannet(tmp_path / "a", 2)
    for path in (tmp_path / "a/intrinsic").iterdir():
        path.unlink()
    own_scan.write_text(tmp_path / "a/intrinsic.txt", f"{focal} 60 31 24")
    with pytest.raises(ValueError, match=r"focal lengths of .* pixels|no numbers"):
        read_trajectory(tmp_path / "a")
    own_scan.nerfstudio(tmp_path / "b", 2, w=0)
    with pytest.raises(ValueError, match="images of 0 x 48 pixels"):
        read_trajectory(tmp_path / "b")


def test_names_in_another_unicode_form_are_the_same(tmp_path):
    """As a folder from macOS has them: й as и and a breve."""
    for convention, folder in (("colmap", "images"), ("scannet", "color")):
        scene = tmp_path / convention
        own_scan.WRITERS[convention](scene, 2)
        for i, path in enumerate(sorted((scene / folder).iterdir())):
            name = f"вид й {i}"
            if convention == "colmap":
                listing = scene / "sparse/0/images.txt"
                text = listing.read_text(encoding="utf-8").replace(path.name, f"{name}.png")
                listing.write_text(text, encoding="utf-8")
            else:
                (scene / f"pose/{i}.txt").rename(scene / f"pose/{name}.txt")
            path.rename(path.with_name(unicodedata.normalize("NFD", f"{name}.png")))
        trajectory = trajectory_of(scene)
        assert len(trajectory.shots) == 2 and not trajectory.unmatched


def test_nerf_files_with_an_angle_alone(tmp_path):
    own_scan.nerfstudio(tmp_path / "a", 2)

    def change(data):
        for key in ("w", "h", "fl_x", "fl_y", "cx", "cy"):
            del data[key]
        data |= {"camera_angle_x": np.pi / 2, "integer_depth_scale": 1 / 4000}

    edit_json(tmp_path / "a/transforms.json", change)
    trajectory = trajectory_of(tmp_path / "a")
    shot = next(iter(trajectory.shots.values()))
    assert shot.camera.size == (48, 64)
    assert np.allclose(shot.camera.intrinsic, [[32, 0, 31.5], [0, 32, 23.5], [0, 0, 1]])
    assert trajectory.depth_scale == pytest.approx(4000)


def test_forms_of_an_intrinsic(tmp_path):
    rows = {
        "a.txt": "500 501 320 240",
        "b.txt": "500 0 320\n0 501 240\n0 0 1",
        "c.txt": "# fx fy cx cy k1 k2 p1 p2 k3\n500, 501, 320, 240, 0.1 0.2 0.3 0.4 0.5",
    }
    for name, text in rows.items():
        (tmp_path / name).write_text(text)
        found = read_intrinsic(tmp_path / name)
        assert found.intrinsic.tolist() == [[500, 0, 320], [0, 501, 240], [0, 0, 1]]
        assert found.distortion == ((0.1, 0.2, 0.3, 0.4, 0.5) if name == "c.txt" else ())


def test_a_lost_pose_is_a_bad_image(tmp_path):
    scene = tmp_path / "raw" / "a"
    own_scan.scannet(scene, 4)
    own_scan.write_text(scene / "pose/1.txt", *np.full((4, 4), -np.inf))
    own_scan.write_text(scene / "pose/2.txt", *(2 * np.eye(4)))
    _, manifest = prepared(scene)
    assert manifest["frames"]["bad"] == {"non-finite pose": ["1.png"], "non-rigid pose": ["2.png"]}


def test_wide_images_of_arkit_have_their_own_pincams(tmp_path):
    own_scan.arkit(tmp_path / "a", 3)
    (tmp_path / "a/lowres_wide").rename(tmp_path / "a/wide")
    (tmp_path / "a/lowres_wide_intrinsics").rename(tmp_path / "a/wide_intrinsics")
    assert len(trajectory_of(tmp_path / "a").shots) == 3
    next((tmp_path / "a/wide_intrinsics").iterdir()).unlink()
    assert len(trajectory_of(tmp_path / "a").shots) == 2


def test_no_image_at_all_is_an_empty_trajectory(tmp_path):
    (tmp_path / "a").mkdir()
    assert read_trajectory(tmp_path / "a") == (None, Trajectory([]))
    Image.new("RGB", (4, 4)).save(tmp_path / "a" / "cover.jpg")  # beside the cloud: no capture
    assert read_trajectory(tmp_path / "a")[0] is None


def test_a_convention_from_outside(tmp_path, monkeypatch):
    monkeypatch.setattr(POSES, "_entries", dict(POSES._entries))
    own_scan.scannet(tmp_path / "raw" / "a", 3)
    (tmp_path / "raw/a/pose").rename(tmp_path / "raw/a/matrices")
    camera = read_intrinsic(tmp_path / "raw/a/intrinsic/intrinsic_color.txt")

    @POSES.register("matrices")
    class Matrices(PoseFormat):
        files, signs = "matrices/*.txt", ("matrices/*.txt",)

        @staticmethod
        def read_trajectory(scene):
            images = sorted((scene / "color").iterdir())
            poses = [np.loadtxt(scene / "matrices" / f"{image.stem}.txt") for image in images]
            shots = (Shot(pose, camera) for pose in poses)
            return Trajectory(images, dict(zip(images, shots, strict=True)))

    settings = FolderSettings(height=SIZE[0], width=SIZE[1], pose_format="matrices")
    (capture,) = find_captures("scans", tmp_path / "raw", tmp_path / "out", settings)
    assert prepare(capture, settings)["poses"] == "matrices"
    poses = np.linalg.inv(read_views(capture.target).world_to_camera)
    assert np.allclose(poses, [own_scan.pose(i) for i in range(3)])
