"""Checks of a data root: each common mistake, made on a copy of good scenes, is diagnosed."""

import errno
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import raw_scan
from cli import refused, wsegpc
from PIL import Image
from torch.utils.data import DataLoader

from pointcept_wsegpc.camera.zbuffer import PointRenderer
from pointcept_wsegpc.checks.colors import check_colors
from pointcept_wsegpc.checks.findings import Findings
from pointcept_wsegpc.checks.root import check_tags
from pointcept_wsegpc.checks.scene import Settings, check_scene
from pointcept_wsegpc.checks.schedule import Schedule, estimate, own_loop
from pointcept_wsegpc.commands import output
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.scene import read_points, scene_dirs, split_scenes
from pointcept_wsegpc.contracts.views import Views, read_views, write_view_image, write_views
from pointcept_wsegpc.files import read_json, write_json
from pointcept_wsegpc.visualize.overlay import draw_overlay

SCANNET20 = ClassTable.shipped("scannet20")

SETTINGS = Settings(SCANNET20, num_views=4)
OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
Y_UP = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])  # z up -> y up


@pytest.fixture
def scene(prepared_root, tmp_path):
    """A good scene with six views, to be broken."""
    source = prepared_root / "train" / "scene0001_00"
    return Path(shutil.copytree(source, tmp_path / source.name))


def run(*arguments):
    """Exit status and standard output of `wsegpc check`."""
    result = wsegpc("check", *arguments)
    return result.exit_code, result.stdout


def grave(scene, settings=SETTINGS):
    """{key: what was found} of the problems that would waste a training."""
    record = check_scene(scene, settings)
    json.dumps(record)  # goes into the report as it is
    return {p["key"]: p["found"] for p in record["problems"] if p["wasted"]}


def change_array(scene, name, change):
    np.save(scene / f"{name}.npy", change(np.load(scene / f"{name}.npy")))


def change_views(scene, **changes):
    """Replace fields of the views by functions of the views."""
    views = read_views(scene)
    for name, change in changes.items():
        setattr(views, name, change(views))
    write_views(scene, views)


def change_images(scene, pattern, change):
    for path in (scene / "views").glob(pattern):
        image = change(np.asarray(Image.open(path)))
        Image.fromarray(image).save(path, **({"quality": 95} if path.suffix == ".jpg" else {}))


def scale_depth(factor):
    def change(depth):
        return np.clip(np.rint(depth * factor), 0, 65534).astype(np.uint16)

    return lambda scene: change_images(scene, "*.depth.png", change)


def moved(views):
    pose = views.world_to_camera.copy()
    pose[:, :3, 3] *= 1000
    return pose


def as_text(views):
    order = sorted(range(len(views)), key=lambda i: str(views.frame[i]))
    return views.world_to_camera[order]


def turned_over(scene):
    """Points and poses alike with y up, without an axis alignment that would say so."""
    change_array(scene, "coord", lambda c: (c @ Y_UP[:3, :3].T).astype(np.float32))
    change_views(
        scene,
        world_to_camera=lambda v: v.world_to_camera @ np.linalg.inv(Y_UP),
        axis_alignment=lambda v: np.eye(4),
    )


def aligned(scene):
    matrix = read_views(scene).axis_alignment.astype(np.float32)
    change_array(scene, "coord", lambda c: c @ matrix[:3, :3].T + matrix[:3, 3])


def in_millimeters(scene):
    change_array(scene, "coord", lambda c: c * 1000)
    change_views(scene, world_to_camera=moved)


def poses(change):
    return lambda scene: change_views(scene, world_to_camera=change)


def points(change):
    return lambda scene: change_array(scene, "coord", lambda c: change(c).astype(np.float32))


# ------------------------------------------------------------------- points against views


def images(pattern, change):
    return lambda scene: change_images(scene, pattern, change)


MISTAKES = {
    "inverted poses": (poses(lambda v: np.linalg.inv(v.world_to_camera)), "poses-inverted", ""),
    "OpenGL poses": (poses(lambda v: OPENGL @ v.world_to_camera), "poses-opengl", "OpenGL"),
    "poses in mm": (poses(moved), "poses-unit", "millimeters"),
    "poses sorted as text": (poses(as_text), "frames-sorted-as-text", ""),
    "points in mm": (points(lambda c: c * 1000), "points-unit", "millimeters"),
    "points in cm": (points(lambda c: c * 100), "points-unit", "centimeters"),
    "all in mm": (in_millimeters, "scene-unit", "millimeters"),
    "y-up points": (points(lambda c: c[:, [0, 2, 1]] * [1, 1, -1]), "axes-swapped", "swapped"),
    "mirrored points": (points(lambda c: c * [-1, 1, 1]), "axes-swapped", "mirrored"),
    "aligned points": (aligned, "points-aligned", ""),
    "all y-up": (turned_over, "up-axis", "against y"),
    "depth of 1/5000 m": (scale_depth(5), "depth-unit", "TUM"),
    "depth of 1/512 m": (scale_depth(0.512), "depth-unit", "2D-3D-Semantics"),
    "meters in depth": (scale_depth(1e-3), "depth-unit", "meters"),
    "blank depth": (scale_depth(0), "depth-blank", ""),
    "8-bit depth": (
        images("*.depth.png", lambda d: np.clip(d / 40, 0, 255).astype(np.uint8)), "depth-8-bit", ""
    ),
    "8 bits in 16": (
        images("*.depth.png", lambda d: (np.rint(d / 40) * 40).astype(np.uint16)),
        "depth-8-bit", "different values",
    ),
    "points in BGR": (
        lambda s: change_array(s, "color", lambda c: c[:, ::-1].copy()),
        "channels-swapped", "points are bluer",
    ),
    "color intrinsics": (
        lambda s: change_views(s, intrinsic=lambda v: v.intrinsic * [[4.05], [4.05], [1]]),
        "intrinsics-scale", "about 4 times",
    ),
    "no points": (
        lambda s: [change_array(s, path.stem, lambda a: a[:0]) for path in s.glob("*.npy")],
        "no-points", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_diagnosed(scene, mistake):
    make, key, words = MISTAKES[mistake]
    make(scene)
    found = grave(scene)
    assert list(found) == [key] and words in found[key]


def test_the_fix_undoes_swapped_axes(scene):
    """The line names the very permutation that puts the points back."""
    before = np.load(scene / "coord.npy")
    points(lambda c: c[:, [1, 2, 0]] * [-1, 1, -1])(scene)
    fix = check_scene(scene, SETTINGS)["problems"][0]["fix"]
    after = np.load(scene / "coord.npy")
    text = fix.partition("into (")[2].partition(")")[0].split(", ")
    back = [after[:, "xyz".index(axis[-1])] * (-1 if axis[0] == "-" else 1) for axis in text]
    assert np.allclose(np.stack(back, 1), before)


def render_depth(scene):
    """Replace the depth images by what the poses show of the points, as without a depth camera."""
    coord, views = np.load(scene / "coord.npy"), read_views(scene)
    for i, frame in enumerate(views.frame):
        camera = views.intrinsic[i], views.world_to_camera[i], views.size[i]
        depth, _ = PointRenderer(coord).draw(*camera)
        write_view_image(scene, frame, "depth", depth)
    manifest = read_json(scene / "manifest.json")
    rendered = {"from": "points", "views": views.frame.tolist()}
    write_json(scene / "manifest.json", {**manifest, "rendered_depth": rendered})


def test_rendered_depth_of_a_good_scene_passes(scene):
    render_depth(scene)
    assert not grave(scene) and check_scene(scene, SETTINGS)["photo_fit"] > 0.45


@pytest.mark.parametrize(
    "mistake", ["inverted poses", "OpenGL poses", "poses sorted as text", "all y-up", "y-up points"]
)
def test_a_mistake_is_diagnosed_from_photographs(scene, mistake):
    """Rendered depth agrees with any poses."""
    make, key, words = MISTAKES[mistake]
    make(scene)
    render_depth(scene)
    found = grave(scene)
    assert list(found) == [key] and words in found[key]


def test_swapped_channels_are_no_wrong_poses(scene):
    render_depth(scene)
    change_array(scene, "color", lambda color: color[:, ::-1].copy())
    assert list(grave(scene)) == ["channels-swapped"]


def test_wrong_poses_that_see_one_color_are_diagnosed(scene):
    """Nothing can be said of colors that are all alike, but of those under right poses."""
    change_views(scene, world_to_camera=lambda v: np.linalg.inv(v.world_to_camera))
    render_depth(scene)
    views = read_views(scene)
    coord, seen = np.load(scene / "coord.npy"), []
    for i in range(len(views)):
        camera = views.intrinsic[i], views.world_to_camera[i], views.size[i]
        seen.append(PointRenderer(coord).draw(*camera)[1])
    seen = np.unique(seen)[1:]  # without -1
    assert 50 <= len(seen) < 0.9 * len(coord)

    def paint(color):
        color[seen] = 120
        return color

    change_array(scene, "color", paint)
    assert "poses-inverted" in grave(scene)


def test_few_rendered_depths_are_no_8_bit_images(scene):
    depths = sorted((scene / "views").glob("*.depth.png"))
    for path in depths:
        depth = np.asarray(Image.open(path))
        Image.fromarray((depth // 20 * 20).astype(np.uint16)).save(path)
    assert "depth-8-bit" in grave(scene)
    rendered = {"from": "points", "views": read_views(scene).frame.tolist()}
    manifest = read_json(scene / "manifest.json")
    write_json(scene / "manifest.json", {**manifest, "rendered_depth": rendered})
    assert "depth-8-bit" not in grave(scene)


def test_rendered_depth_of_points_without_color_is_told(scene):
    change_array(scene, "color", np.zeros_like)
    render_depth(scene)
    problems = {p["key"]: p["wasted"] for p in check_scene(scene, SETTINGS)["problems"]}
    assert problems == {"color-none": False, "poses-unchecked": False}


def test_poses_of_another_scene_have_no_explanation(scene, prepared_root):
    other = read_views(prepared_root / "train" / "scene0002_00")
    change_views(scene, world_to_camera=lambda v: other.world_to_camera[: len(v)])
    found = grave(scene)
    assert list(found) == ["poses-unfit"] and "expected 75%" in found["poses-unfit"]


def test_a_good_scene_has_no_problem(prepared_root):
    for path in scene_dirs(prepared_root):
        record = check_scene(path, SETTINGS)
        assert record["problems"] == []
        assert record["fit"] > 0.85 and record["median_error"] < 0.05
        assert 0.3 < record["visible"] < 0.8 and record["link_error"] < 0.02
        assert record["spacing"] == pytest.approx(0.055, abs=0.02) and record["up"][2] > 0.7


def test_one_wrong_pose_is_named(scene):
    frame = read_views(scene).frame[2]

    def lose(views):
        pose = views.world_to_camera.copy()
        pose[2, :3, 3] += 9
        return pose

    change_views(scene, world_to_camera=lose)
    (problem,) = check_scene(scene, SETTINGS)["problems"]
    assert problem["key"] == "views-unfit" and not problem["wasted"]
    assert f"1 of 6 views do not fit the cloud (frames {frame})" in problem["found"]


def test_poses_a_little_off_are_told(scene):
    """Links that are spread evenly over the tolerance are chance."""

    def stretch(views):
        pose = views.world_to_camera.copy()
        pose[:, 2, 3] += 0.07
        return pose

    change_views(scene, world_to_camera=stretch)
    (problem,) = check_scene(scene, SETTINGS)["problems"]
    assert problem["key"] == "links-loose" and not problem["wasted"]


# ------------------------------------------------------------------------ images and depth


def test_swapped_channels(scene):
    change_images(scene, "*.jpg", lambda image: image[..., ::-1].copy())
    found = grave(scene)
    assert list(found) == ["channels-swapped"] and "images are bluer" in found["channels-swapped"]
    change_array(scene, "color", lambda color: color[:, ::-1].copy())  # both alike
    assert not grave(scene)


def test_gray_colors_say_nothing_about_channels():
    rng, findings = np.random.default_rng(0), Findings()
    gray = rng.integers(0, 256, (500, 1)).repeat(3, 1).astype(np.float32)
    check_colors(findings, gray, gray)
    assert not findings.problems and findings.metrics["brightness_correlation"] == 1
    check_colors(findings, gray, gray[::-1])
    assert findings.has("colors-unrelated")


def test_few_depths_of_bare_planes_are_no_eight_bits(scene):
    """A floor and a wall, level with the camera: 250 depths, but not in steps."""
    for i, path in enumerate(sorted((scene / "views").glob("*.depth.png"))):
        intrinsic, pose = raw_scan.DEPTH_INTRINSIC, raw_scan.pose(i)
        depth, _ = raw_scan.render(intrinsic, (36, 48), pose)
        Image.fromarray(np.rint(1000 * depth).astype(np.uint16)).save(path)
    assert "depth-8-bit" not in grave(scene)


# --------------------------------------------------------------------------- missing parts


@pytest.mark.parametrize(
    ("part", "key"),
    [
        ("coord.npy", "missing-coord"),
        ("region.npy", "missing-region"),
        ("views.npz", "missing-views.npz"),
        ("views/000002.jpg", "missing-color-images"),
        ("views/000002.depth.png", "missing-depth-images"),
        ("views/000002.region.png", "missing-region-images"),
    ],
)
def test_missing_parts(scene, part, key):
    (scene / part).unlink()
    assert list(grave(scene)) == [key]


@pytest.mark.parametrize("key", ["color", "normal"])
def test_colors_and_normals_may_be_missing(scene, key):
    (scene / f"{key}.npy").unlink()
    assert not grave(scene)
    said = [problem["key"] for problem in check_scene(scene, SETTINGS)["problems"]]
    assert f"missing-{key}" in said


def test_a_scene_without_views_is_told_and_allowed(scene):
    shutil.rmtree(scene / "views")
    empty = Views(np.empty(0), np.empty((0, 3, 3)), np.empty((0, 4, 4)), (36, 48))
    write_views(scene, empty)
    for _ in range(2):  # with an empty views.npz, and without
        (problem,) = check_scene(scene, SETTINGS)["problems"]
        assert problem["key"] == "no-views" and not problem["wasted"]
        (scene / "views.npz").unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("name", "change", "key"),
    [
        ("region", lambda a: a[:-1], "region-length"),
        ("color", lambda a: a[:-1], "length"),
        ("coord", lambda a: np.where(np.arange(len(a))[:, None] == 5, np.nan, a), "non-finite"),
        ("coord", lambda a: a[:, :2], "shape-coord"),
        ("segment20", lambda a: a + 1, "label-range"),
        ("segment20", lambda a: a.astype(str), "label-dtype"),
        ("segment20", lambda a: a * np.nan, "label-dtype"),
    ],
)
def test_wrong_arrays(scene, name, change, key):
    if key == "label-range":
        change_array(scene, name, lambda a: np.where(a == a.max(), 20, a))
    else:
        change_array(scene, name, change)
    assert key in grave(scene)


@pytest.mark.parametrize("text", [b"[]", b'{"rendered_depth": true}', b"{", bytes([255, 254])])
def test_a_foreign_manifest(scene, text):
    (scene / "manifest.json").write_bytes(text)
    assert "manifest.json cannot be used" in grave(scene)["manifest"]


def test_wrong_views(scene):
    def break_poses(views):
        pose = views.world_to_camera.copy()
        pose[0], pose[1, :3, :3] = np.nan, 2 * pose[1, :3, :3]
        return pose

    change_views(scene, world_to_camera=break_poses)
    assert "in 2 of 6 views" in grave(scene)["pose-impossible"]
    change_views(scene, axis_alignment=lambda v: v.axis_alignment * np.nan)
    assert "axis alignment is not finite" in grave(scene)["views.npz"]
    (scene / "views.npz").write_bytes(b"nothing")
    assert "cannot be used" in grave(scene)["views.npz"]


def test_regions_of_a_wrong_size(scene):
    change_images(scene, "*.region.png", lambda image: image[:-1])
    assert "views.npz says" in grave(scene)["view-regions"]
    change_array(scene, "region", lambda region: np.zeros_like(region))
    problems = {p["key"] for p in check_scene(scene, SETTINGS)["problems"]}
    assert "region-leaks" in problems


# ----------------------------------------------------------------------------------- tags


def test_tags(root_copy):
    scenes, path = split_scenes(root_copy), root_copy / "scene_tags.json"
    records = {name: check_scene(scene, SETTINGS) for name, scene in scenes.items()}

    def problems():
        return {p.key: p for p in check_tags(root_copy, list(scenes), records, SCANNET20).problems}

    assert set(problems()) <= {"tags-unused", "tags-everywhere"}
    tags = read_json(path)
    del tags["scene0000_00"]
    tags["scene0001_00"].extend(["chiar", "Shower Curtain"])
    tags["scene0002_00"] = []
    tags["elsewhere"] = ["wall"]
    write_json(path, tags)
    found = problems()
    for key, word in (
        ("tags-missing", "scene0000_00 first"),
        ("tags-foreign", "table: 'chiar' (1)"),
        ("tags-strangers", "elsewhere first"),
        ("tags-empty", "scene0002_00 first"),
        ("tags-differ", "2 of 4 labeled scenes differ"),
    ):
        assert word in found[key].found
        assert found[key].wasted == (key in ("tags-missing", "tags-foreign"))
    assert "did you mean 'chair'?" in found["tags-foreign"].fix
    path.unlink()
    assert problems()["tags-file"].wasted


# ------------------------------------------------------------------------ report and tool


def test_estimate_scales_with_the_data():
    record = {"voxels": 80_000, "size": [240, 320], "bytes": 5e8}
    whole = estimate([record] * 8, Schedule(parts=((5, 2),), seconds=3.6))
    assert (whole["steps"], whole["hours"], whole["gigabytes"]) == (20, 0.02, 4.0)
    half = estimate([{**record, "size": [120, 320], "voxels": 40_000}] * 8, Schedule(seconds=36))
    assert half["steps"] == 600 and half["hours"] == 3.0 and "assumed" in half["assumption"]


@pytest.mark.parametrize("scenes", [1, 3, 50, 700])
def test_steps_are_those_of_a_loader(scenes):
    """Of own scans about 12 000; an epoch has the batches that a loader makes of it."""
    loop = own_loop(scenes)
    epoch = len(DataLoader(range(scenes * loop), batch_size=4, drop_last=scenes * loop > 4))
    steps = Schedule(parts=((50, loop), (25, loop))).steps(scenes)
    assert steps == 75 * epoch and (scenes > 200 or abs(steps - 12_000) < 600)


def test_overlay_of_a_cloud_that_no_view_sees(scene, tmp_path):
    arrays = read_points(scene, ("coord", "color"))
    arrays["coord"] = arrays["coord"] + np.float32(1000)
    views = read_views(scene)
    one = Views(views.frame[:1], views.intrinsic[:1], views.world_to_camera[:1], views.size[:1])
    draw_overlay(tmp_path / "p.png", scene, arrays, one, 0.04)
    assert Image.open(tmp_path / "p.png").size[0] > 400


def test_the_command_passes_good_data(root_copy):
    arguments = (root_copy, "--num-views", 4, "--figures", 1)
    status, text = run(*arguments)
    assert status == 0 and "fit for training" in text and "ERROR" not in text
    assert "5 scenes (3 train, 2 val)" in text and "assumption: " in text
    out = root_copy / "checks-report"
    report = read_json(out / "report.json")
    assert report["scenes"]["train/scene0001_00"]["views"] == 6
    assert len(list(out.glob("*.png"))) == 1 and (out / "report.txt").is_file()
    assert run(*arguments)[0] == 0  # its own folder is no scene


def test_the_command_stops_wrong_data(root_copy, tmp_path):
    for scene in scene_dirs(root_copy, "train"):
        poses(lambda v: np.linalg.inv(v.world_to_camera))(scene)
    status, text = run(
        root_copy, "--split", "train", "--out", tmp_path / "o",
        "--figures", 0, "--num-views", 4,
    )  # fmt: skip
    assert status == 1
    (line,) = [line for line in text.splitlines() if line.startswith("ERROR")]
    assert "poses are inverted" in line and "[3 of 3 scenes" in line
    assert "training on this data would be wasted" in text
    assert not (root_copy / "checks-report").exists()


def test_a_read_only_root_has_its_report_printed(root_copy, monkeypatch):
    before = sorted(root_copy.rglob("*"))

    def refuse(**_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(output.tempfile, "TemporaryFile", refuse)
    status, text = run(root_copy, "--num-views", 4)
    assert status == 0 and "Read-only file system" in text and "5 scenes (3 train, 2 val)" in text
    assert [p for p in sorted(root_copy.rglob("*")) if p.is_file()] == [
        p for p in before if p.is_file()
    ]
    assert "nothing can be written" in refused("check", root_copy, "--out", root_copy / "o")


@pytest.mark.parametrize("place", [np.nan, np.inf, -1e30])
def test_points_without_a_place(scene, place):
    """Named, and left out of what is measured; where there are no others, that is all."""
    whole = check_scene(scene, SETTINGS)
    coord = read_points(scene, ("coord",))["coord"]
    change_array(scene, "coord", lambda c: np.where(np.arange(len(c))[:, None] % 50 == 0, place, c))
    found = check_scene(scene, SETTINGS)
    (line,) = [p["found"] for p in found["problems"] if p["key"] == "non-finite"]
    assert f"{-(-len(coord) // 50)} of {len(coord)}" in line
    assert found["voxels"] == pytest.approx(whole["voxels"], rel=0.05)
    assert found["fit"] == pytest.approx(whole["fit"], abs=0.05)
    change_array(scene, "coord", lambda c: np.full_like(c, place))
    assert "no-points" in {p["key"] for p in check_scene(scene, SETTINGS)["problems"]}


def test_the_command_names_an_empty_root(tmp_path):
    assert str(tmp_path) in refused("check", tmp_path)
