"""The tool that shows what a setting does."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import raw_scan
from PIL import Image
from plyfile import PlyData, PlyElement

import sweep_regions
from pointcept_wsegpc.visualize.scenes import PANEL

ROOT = Path(__file__).resolve().parents[2]


def run_tool(*arguments, cwd=None):
    command = [sys.executable, ROOT / "tools/sweep_regions.py", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd)


def test_a_row_per_setting_and_a_panel_per_value(prepared_root, tmp_path):
    out = tmp_path / "sweep.png"
    scene = prepared_root / "train/scene0000_00"
    done = run_tool(
        scene, "--vary", "max_angle=5,20,60", "min_size=20,None", "--set", "max_distance=0.1",
        "--out", out,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    titles = [line.split("  ")[0] for line in done.stdout.splitlines()]
    assert titles[:4] == ["max_angle=5", "max_angle=20", "max_angle=60", "min_size=20"]
    assert titles[4].startswith("min_size=") and titles[4].endswith(" (default)")
    assert done.stdout.count(" regions, ") == done.stdout.count(", quality 0.") == 5
    unassigned = [
        int(line.split(" % unassigned")[0].split()[-1]) for line in done.stdout.splitlines()[:3]
    ]
    assert unassigned[0] > unassigned[1] >= unassigned[2]
    with Image.open(out) as picture:
        assert picture.width > 4 * PANEL[1] and picture.height > 2 * PANEL[0]
    assert {p.name for p in scene.parent.parent.iterdir()} == {
        p.name for p in prepared_root.iterdir()
    }


def write_points(path, coord, **columns):
    arrays = dict(zip("xyz", np.transpose(coord), strict=True)) | columns
    vertex = np.zeros(len(coord), [(name, "f4") for name in arrays])
    for name, values in arrays.items():
        vertex[name] = values
    PlyData([PlyElement.describe(vertex, "vertex")]).write(str(path))


def test_ply_files(tmp_path):
    coord, surface, face = raw_scan.room()
    raw_scan.write_mesh(tmp_path / "mesh.ply", coord, surface, face)
    write_points(tmp_path / "points.ply", coord)
    for name in ("mesh.ply", "points.ply"):
        done = run_tool(tmp_path / name, "--vary", "max_angle=10,20", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count(" regions, 0 % unassigned, largest ") == 2, name
        assert (tmp_path / "sweep.png").is_file() and "quality" not in done.stdout
        if name == "mesh.ply":  # the other has no normals: regions of its own along the edge
            assert done.stdout.count(" 2 regions, 0 % unassigned, largest 60 %\n") == 2
    points = sweep_regions.read_points(tmp_path / "mesh.ply")
    assert set(points) == {"coord", "color", "normal"}
    assert (points["color"][surface == raw_scan.FLOOR] == (255, 0, 0)).all()
    assert np.abs(points["normal"][surface == raw_scan.FLOOR][:, 2]).min() == 1
    assert set(sweep_regions.read_points(tmp_path / "points.ply")) == {"coord"}
    write_points(tmp_path / "normals.ply", coord, nx=0 * surface, ny=0 * surface, nz=2 + surface)
    assert set(sweep_regions.read_points(tmp_path / "normals.ply")) == {"coord", "normal"}


def write_polygons(path, coord, polygons, name="vertex_indices"):
    vertex = np.array([tuple(c) for c in coord], [(axis, "f4") for axis in "xyz"])
    face = np.empty(len(polygons), [(name, object)])
    face[name] = [np.array(polygon, np.int32) for polygon in polygons]
    elements = [PlyElement.describe(vertex, "vertex"), PlyElement.describe(face, "face")]
    PlyData(elements).write(str(path))


def test_polygons_become_triangles(tmp_path):
    coord = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1], [9, 9, 9]])
    polygons = [[0, 1, 2, 3], [0, 3, 5], [0, 5, 4], [2, 3], []]
    write_polygons(tmp_path / "a.ply", coord, polygons)
    normal = sweep_regions.read_points(tmp_path / "a.ply")["normal"]
    diagonal = [0.5**0.5, 0, 0.5**0.5]
    expected = [diagonal, [0, 0, 1], [0, 0, 1], diagonal, [1, 0, 0], [1, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(normal, expected, atol=1e-6)


def test_a_scene_without_normals_and_colours(root_copy, tmp_path):
    scene = root_copy / "train/scene0000_00"
    expected = run_tool(scene, "--vary", "max_angle=10", "--out", tmp_path / "a.png")
    for name in ("normal", "color"):
        (scene / f"{name}.npy").unlink()
    done = run_tool(scene, "--vary", "max_angle=10", "method=supervoxel", "--out", "b.png",
                    cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(", quality 0.") == 2
    assert done.stdout.splitlines()[0] != expected.stdout.splitlines()[0]  # other normals
    with Image.open(tmp_path / "b.png") as picture:
        first = np.asarray(picture.convert("RGB"))[: PANEL[0], : PANEL[1]].astype(int)
    assert np.ptp(first, axis=-1).max() < 40  # grey, as far as 256 colours have it
    assert ((first < 200) & (first > 90)).all(-1).mean() > 0.2


def test_a_mesh_brings_its_own_normals(tmp_path):
    coord, surface, face = raw_scan.room()
    raw_scan.write_mesh(tmp_path / "mesh.ply", coord, surface, face)
    points, settings = sweep_regions.read_cloud(
        tmp_path / "mesh.ply", "graph", {"mesh": str(tmp_path / "{scene}.ply")}
    )
    assert points["normal"] is None
    np.testing.assert_array_equal(settings["faces"], face)


@pytest.mark.parametrize("out", ["a.jpg", "a", "folder.png"])
def test_a_picture_that_cannot_be_written_is_told_before_the_work(tmp_path, out):
    (tmp_path / "folder.png").mkdir()
    result = run_tool("nowhere", "--vary", "max_angle=10", "--out", out, cwd=tmp_path)
    assert result.returncode == 2 and "the picture is a .png; give such a name" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--vary", "max_angel=3"), "has no setting 'max_angel'"),
        (("--vary", "max_angle"), "expected KEY=VALUE"),
        (("--vary", "max_angle=0,10"), "max_angle is 0; give an angle"),
        (("--vary", "max_angle=1", "--method", "magic"), "unknown partition method 'magic'"),
        (("--vary", "max_angle=1", "--preset", "x"), "no preset 'x'"),
        (("--vary", "neighbours=4,8", "--method", "oracle"), "'oracle' needs labels, which"),
        (("--vary", "method=growing,oracle"), "'oracle' needs labels, which"),
        ((), "--vary"),
    ],
)
def test_bad_arguments_get_one_line(tmp_path, arguments, message):
    write_points(tmp_path / "a.ply", np.random.default_rng(0).uniform(0, 1, (50, 3)))
    result = run_tool(tmp_path / "a.ply", *arguments)
    assert result.returncode != 0 and message in result.stderr
    assert "Traceback" not in result.stderr and not result.stdout  # before the work


def test_bad_clouds_get_one_line(tmp_path):
    (tmp_path / "a.ply").write_text("no ply")
    for name, message in {"a.ply": "expected a .ply", "b.ply": "No such file",
                          "nowhere": "coord.npy is missing"}.items():  # fmt: skip
        result = run_tool(tmp_path / name, "--vary", "max_angle=10")
        assert result.returncode != 0 and message in result.stderr, result.stderr
        assert "Traceback" not in result.stderr


def test_the_oracle_gets_classes_and_objects(root_copy):
    scene = root_copy / "train/scene0000_00"
    segment = np.load(scene / "segment20.npy")
    instance = np.arange(len(segment)) % 3
    np.save(scene / "instance.npy", instance)
    _, settings = sweep_regions.read_cloud(scene, "oracle", {"neighbours": 5})
    np.testing.assert_array_equal(settings.pop("segment"), segment)
    np.testing.assert_array_equal(settings.pop("instance"), instance)
    assert settings == {"neighbours": 5}
    assert sweep_regions.read_cloud(scene, "graph", {})[1] == {}


def test_methods_side_by_side(prepared_root, tmp_path):
    scene = prepared_root / "train/scene0000_00"
    methods = "method=growing,growing:wypr,graph,oracle"
    done = run_tool(scene, "--vary", methods, "--out", tmp_path / "methods.png")
    assert done.returncode == 0, done.stderr
    titles = [line.split("  ")[0] for line in done.stdout.splitlines()[:4]]
    assert titles == ["method=growing", "method=growing:wypr", "method=graph", "method=oracle"]
    assert "0 % unassigned" in done.stdout.splitlines()[1]  # the preset fills
    assert "quality 1.00" in done.stdout.splitlines()[3]
    wrong = run_tool(scene, "--vary", "method=growing:segmentator")
    assert wrong.returncode == 1 and "has no preset 'segmentator'" in wrong.stderr
