"""`wsegpc sweep-regions`: what a setting does."""

import numpy as np
import pytest
import raw_scan
from cli import refused, wsegpc
from PIL import Image
from plyfile import PlyData, PlyElement

from pointcept_wsegpc.commands import sweep_regions
from pointcept_wsegpc.regions import PARTITIONS
from pointcept_wsegpc.visualize.grid import PANEL


def sweep(*arguments):
    return wsegpc("sweep-regions", *arguments)


def test_a_row_per_setting_and_a_panel_per_value(prepared_root, tmp_path):
    out = tmp_path / "sweep.png"
    scene = prepared_root / "train/scene0000_00"
    done = sweep(
        scene, "--vary", "max_angle=5,20,60", "min_size=20,None", "--set", "max_distance=0.1",
        "--out", out,
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
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
        done = sweep(tmp_path / name, "--vary", "max_angle=10,20", "--out", tmp_path / "sweep.png")
        assert done.exit_code == 0, done.stderr
        assert done.stdout.count(" regions, 0 % unassigned, largest ") == 2, name
        assert (tmp_path / "sweep.png").is_file() and "quality" not in done.stdout
        if name == "mesh.ply":  # the other has no normals: regions of its own along the edge
            assert done.stdout.count(" 2 regions, 0 % unassigned, largest 60 %\n") == 2
    points = sweep_regions.read_cloud(tmp_path / "mesh.ply")
    assert set(points) == {"coord", "color", "normal"}
    assert (points["color"][surface == raw_scan.FLOOR] == (255, 0, 0)).all()
    assert np.abs(points["normal"][surface == raw_scan.FLOOR][:, 2]).min() == 1
    assert set(sweep_regions.read_cloud(tmp_path / "points.ply")) == {"coord"}
    write_points(tmp_path / "normals.ply", coord, nx=0 * surface, ny=0 * surface, nz=2 + surface)
    assert set(sweep_regions.read_cloud(tmp_path / "normals.ply")) == {"coord", "normal"}


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
    normal = sweep_regions.read_cloud(tmp_path / "a.ply")["normal"]
    diagonal = [0.5**0.5, 0, 0.5**0.5]
    expected = [diagonal, [0, 0, 1], [0, 0, 1], diagonal, [1, 0, 0], [1, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(normal, expected, atol=1e-6)


def test_a_scene_without_normals_and_colors(root_copy, tmp_path):
    scene = root_copy / "train/scene0000_00"
    expected = sweep(scene, "--vary", "max_angle=10", "--out", tmp_path / "a.png")
    for name in ("normal", "color"):
        (scene / f"{name}.npy").unlink()
    done = sweep(scene, "--vary", "max_angle=10", "method=supervoxel", "--out",
                    tmp_path / "b.png")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert done.stdout.count(", quality 0.") == 2
    assert done.stdout.splitlines()[0] != expected.stdout.splitlines()[0]  # other normals
    with Image.open(tmp_path / "b.png") as picture:
        first = np.asarray(picture.convert("RGB"))[: PANEL[0], : PANEL[1]].astype(int)
    assert np.ptp(first, axis=-1).max() < 40  # gray, as far as 256 colors have it
    assert ((first < 200) & (first > 90)).all(-1).mean() > 0.2


@pytest.mark.parametrize("out", ["a.jpg", "a", "folder.png"])
def test_a_picture_that_cannot_be_written_is_told_before_the_work(tmp_path, out):
    (tmp_path / "folder.png").mkdir()
    result = sweep("nowhere", "--vary", "max_angle=10", "--out", tmp_path / out)
    assert result.exit_code == 2 and out in result.stderr


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (("--vary", "max_angel=3"), "max_angel"),
        (("--vary", "max_angle"), "max_angle"),
        (("--vary", "max_angle=0,10"), "max_angle is 0"),
        (("--vary", "max_angle=1", "--method", "magic"), "magic"),
        (("--vary", "max_angle=1", "--preset", "x"), "preset 'x'"),
        (("--vary", "neighbours=4,8", "--method", "oracle"), "oracle"),
        (("--vary", "method=growing,oracle"), "oracle"),
        ((), "--vary"),
    ],
)
def test_what_is_wrong_is_named_before_the_work(tmp_path, arguments, wrong):
    write_points(tmp_path / "a.ply", np.random.default_rng(0).uniform(0, 1, (50, 3)))
    result = sweep(tmp_path / "a.ply", *arguments)
    assert result.exit_code and wrong in result.stderr and not result.stdout


def test_bad_clouds_are_named(tmp_path):
    (tmp_path / "a.ply").write_text("no ply")
    for name in ("a.ply", "b.ply", "nowhere"):
        assert name in refused("sweep-regions", tmp_path / name, "--vary", "max_angle=10")


def test_the_oracle_gets_classes_and_objects(root_copy):
    scene = root_copy / "train/scene0000_00"
    segment = np.load(scene / "segment20.npy")
    instance = np.arange(len(segment)) % 3
    np.save(scene / "instance.npy", instance)
    oracle, graph = (PARTITIONS.get(name).resolve() for name in ("oracle", "graph"))
    points = sweep_regions.read_points(scene, [graph, oracle])
    np.testing.assert_array_equal(points["segment"], segment)
    np.testing.assert_array_equal(points["instance"], instance)
    assert "instance" not in sweep_regions.read_points(scene, [graph])


def test_methods_side_by_side(prepared_root, tmp_path):
    scene = prepared_root / "train/scene0000_00"
    methods = "method=growing,growing:wypr,graph,oracle"
    done = sweep(scene, "--vary", methods, "--out", tmp_path / "methods.png")
    assert done.exit_code == 0, done.stderr
    titles = [line.split("  ")[0] for line in done.stdout.splitlines()[:4]]
    assert titles == ["method=growing", "method=growing:wypr", "method=graph", "method=oracle"]
    assert "0 % unassigned" in done.stdout.splitlines()[1]  # the preset fills
    assert "quality 1.00" in done.stdout.splitlines()[3]
    wrong = sweep(scene, "--vary", "method=growing:segmentator")
    assert wrong.exit_code == 1 and "segmentator" in wrong.stderr
