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
from pointcept_wsegpc.pictures import PANEL
from pointcept_wsegpc.regions.cloud import Cloud

ROOT = Path(__file__).resolve().parents[1]


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
    points = sweep_regions.read_ply(tmp_path / "mesh.ply")
    assert set(points) == {"coord", "color", "normal"}
    assert (points["color"][surface == raw_scan.FLOOR] == (255, 0, 0)).all()
    assert np.abs(points["normal"][surface == raw_scan.FLOOR][:, 2]).min() == 1
    assert set(sweep_regions.read_ply(tmp_path / "points.ply")) == {"coord"}
    write_points(tmp_path / "normals.ply", coord, nx=0 * surface, ny=0 * surface, nz=2 + surface)
    assert set(sweep_regions.read_ply(tmp_path / "normals.ply")) == {"coord", "normal"}


def test_normals_for_a_picture_point_into_the_room():
    coord, surface, _ = raw_scan.room()
    normal = sweep_regions.to_the_middle(Cloud(coord))
    assert normal.shape == coord.shape
    floor, wall = surface == raw_scan.FLOOR, surface == raw_scan.WALL
    assert np.median(normal[floor][:, 2]) == pytest.approx(1)
    assert np.median(normal[wall][:, 1]) == pytest.approx(-1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--vary", "max_angel=3"), "has no setting 'max_angel'"),
        (("--vary", "max_angle"), "expected KEY=VALUE"),
        (("--vary", "max_angle=0,10"), "max_angle is 0; give an angle"),
        (("--vary", "max_angle=1", "--method", "magic"), "unknown partition method 'magic'"),
        (("--vary", "max_angle=1", "--preset", "x"), "no preset 'x'"),
        ((), "--vary"),
    ],
)
def test_bad_arguments_get_one_line(tmp_path, arguments, message):
    write_points(tmp_path / "a.ply", np.random.default_rng(0).uniform(0, 1, (50, 3)))
    result = run_tool(tmp_path / "a.ply", *arguments)
    assert result.returncode != 0 and message in result.stderr
    assert "Traceback" not in result.stderr


def test_bad_clouds_get_one_line(tmp_path):
    (tmp_path / "a.ply").write_text("no ply")
    for name, message in {"a.ply": "expected vertices with x y z", "b.ply": "No such file",
                          "nowhere": "coord.npy is missing"}.items():  # fmt: skip
        result = run_tool(tmp_path / name, "--vary", "max_angle=10")
        assert result.returncode != 0 and message in result.stderr, result.stderr
        assert "Traceback" not in result.stderr


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
