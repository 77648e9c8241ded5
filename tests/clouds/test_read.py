"""Points of own scans: the readers, thinning with the way back, normals, rendered depth."""

import numpy as np
import pytest
import raw_scan
from plyfile import PlyData, PlyElement

from pointcept_wsegpc.camera.zbuffer import MeshDepth, PointDepth
from pointcept_wsegpc.clouds.formats import as_uint8
from pointcept_wsegpc.clouds.normals import complete_normals, estimate_normals, face_towards
from pointcept_wsegpc.clouds.pcd import decompress_lzf
from pointcept_wsegpc.clouds.ply import write_ply
from pointcept_wsegpc.clouds.read import find_cloud, read_cloud
from pointcept_wsegpc.clouds.spacing import reach_of_points
from pointcept_wsegpc.clouds.voxels import thin

RNG = np.random.default_rng(0)
COORD = RNG.uniform(-3, 3, (40, 3)).astype(np.float32)
COLOR = RNG.integers(0, 256, (40, 3)).astype(np.uint8)
NORMAL = RNG.normal(size=(40, 3)).astype(np.float32)


def assert_cloud(path, color=COLOR, normal=None, atol=1e-6):
    cloud = read_cloud(path)
    assert cloud.coord.dtype == np.float64 and np.allclose(cloud.coord, COORD, atol=atol)
    for found, expected in ((cloud.color, color), (cloud.normal, normal)):
        assert (found is None) == (expected is None)
        if found is not None:
            assert found.dtype == expected.dtype and np.allclose(found, expected, atol=1e-6)
    return cloud


# --------------------------------------------------------------------------------- formats


def test_ply_written_here_is_read_again(tmp_path):
    face = np.array([[0, 1, 2], [3, 4, 5]])
    write_ply(tmp_path / "a.ply", COORD, COLOR, face, ["x"], label=np.arange(40, dtype=np.int16))
    assert (assert_cloud(tmp_path / "a.ply").face == face).all()
    vertex = PlyData.read(str(tmp_path / "a.ply"))["vertex"]
    assert vertex["label"].tolist() == list(range(40))
    write_ply(tmp_path / "far.ply", np.add(COORD, [4.5e5, 5.4e6, 0]), COLOR)
    assert np.allclose(read_cloud(tmp_path / "far.ply").coord - [4.5e5, 5.4e6, 0], COORD, atol=1e-4)


@pytest.mark.parametrize("text", [True, False])
def test_ply_of_polygons_with_normals_and_float_colours(text, tmp_path):
    names = ("x", "y", "z", "nx", "ny", "nz", "red", "green", "blue")
    vertex = np.zeros(40, [(name, "f8") for name in names])
    for i, values in enumerate(np.concatenate([COORD, NORMAL, COLOR / 255], axis=1).T):
        vertex[names[i]] = values
    face = np.empty(2, [("vertex_index", "O")])
    face["vertex_index"] = [np.array([0, 1, 2, 3]), np.array([4, 5, 6])]
    elements = [PlyElement.describe(vertex, "vertex"), PlyElement.describe(face, "face")]
    PlyData(elements, text=text).write(str(tmp_path / "a.ply"))
    cloud = assert_cloud(tmp_path / "a.ply", normal=NORMAL)
    assert cloud.face.tolist() == [[0, 1, 2], [0, 2, 3], [4, 5, 6]]


def write_pcd(path, storage):
    packed = (COLOR.astype(np.uint32) << [16, 8, 0]).sum(1).astype(np.uint32)
    layout = [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("rgb", "<f4"), ("normal_x", "<f4"),
              ("normal_y", "<f4"), ("normal_z", "<f4"), ("_", "u1", 2)]  # fmt: skip
    points = np.zeros(40, layout)
    for i, axis in enumerate("xyz"):
        points[axis], points[f"normal_{axis}"] = COORD[:, i], NORMAL[:, i]
    points["rgb"] = packed.view(np.float32)
    header = (
        "# .PCD v0.7\nVERSION 0.7\nFIELDS x y z rgb normal_x normal_y normal_z _\n"
        f"SIZE 4 4 4 4 4 4 4 1\nTYPE F F F {'U' if storage == 'ascii' else 'F'} F F F U\n"
        "COUNT 1 1 1 1 1 1 1 2\nWIDTH 40\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS 40\n"
        f"DATA {storage}\n"
    )
    if storage == "ascii":
        rows = [[*COORD[i], packed[i], *NORMAL[i], 0, 0] for i in range(40)]
        body = "".join(" ".join(map(str, row)) + "\n" for row in rows).encode()
    elif storage == "binary":
        body = points.tobytes()
    else:
        columns = b"".join(
            np.ascontiguousarray(points[name]).tobytes() for name in points.dtype.names
        )
        data = lzf(columns)
        body = np.array([len(data), len(columns)], "<u4").tobytes() + data
    path.write_bytes(header.encode() + body)


def lzf(data):
    """LZF with literals, and a repeat wherever 8 bytes equal the 8 before them."""
    out, i, literal = b"", 0, b""
    while i < len(data):
        repeat = i >= 8 and len(data) - i >= 8 and data[i : i + 8] == data[i - 8 : i]
        if (repeat or len(literal) == 32) and literal:
            out, literal = out + bytes([len(literal) - 1]) + literal, b""
        if repeat:
            out, i = out + bytes([6 << 5, 7]), i + 8
        else:
            literal, i = literal + data[i : i + 1], i + 1
    return out + (bytes([len(literal) - 1]) + literal if literal else b"")


@pytest.mark.parametrize("storage", ["ascii", "binary", "binary_compressed"])
def test_pcd(storage, tmp_path):
    write_pcd(tmp_path / "a.pcd", storage)
    assert_cloud(tmp_path / "a.pcd", normal=NORMAL)


def test_lzf_with_overlapping_and_long_repeats():
    # 'a', then 300 more of it: a repeat of distance 1 and length 7 + 255 + 2, and one of 36.
    packed = bytes([0, 97, 7 << 5, 255, 0, 7 << 5, 27, 0])
    plain = np.zeros(301, np.uint8)
    assert decompress_lzf(np.frombuffer(packed, np.uint8), plain) == 301
    assert (plain == 97).all()
    for damaged in (packed[:1], packed[:3], bytes([32, 5]), bytes([31])):
        assert decompress_lzf(np.frombuffer(damaged, np.uint8), plain) == -1
    assert decompress_lzf(np.frombuffer(packed, np.uint8), np.zeros(9, np.uint8)) == -1


def test_npy(tmp_path):
    np.save(tmp_path / "a.npy", COORD)
    assert_cloud(tmp_path / "a.npy", color=None)
    np.save(tmp_path / "b.npy", np.concatenate([COORD, COLOR], axis=1))
    assert_cloud(tmp_path / "b.npy")
    np.save(tmp_path / "c.npy", np.concatenate([COORD, COLOR / 255, NORMAL], axis=1))
    assert_cloud(tmp_path / "c.npy", normal=NORMAL)
    named = np.zeros(40, [(name, "f4") for name in "xyz"] + [(name, "u2") for name in "rgb"])
    for i, (axis, channel) in enumerate(zip("xyz", "rgb", strict=True)):
        named[axis], named[channel] = COORD[:, i], COLOR[:, i].astype(np.uint16) * 257
    np.save(tmp_path / "d.npy", named)
    assert_cloud(tmp_path / "d.npy")


def test_las(tmp_path):
    laspy = pytest.importorskip("laspy")
    for depth, factor in ((16, 257), (8, 1)):  # some programs write 8 bits where 16 belong
        las = laspy.create(point_format=2, file_version="1.2")
        las.header.offsets, las.header.scales = COORD.min(0), [1e-4] * 3
        las.x, las.y, las.z = COORD.T
        las.red, las.green, las.blue = COLOR.astype(np.uint16).T * factor
        las.write(tmp_path / f"{depth}.las")
        assert_cloud(tmp_path / f"{depth}.las", atol=1e-4)


def test_ranges_of_colours():
    assert as_uint8(np.array([[0, 0.5, 1.0]])).tolist() == [[0, 128, 255]]
    assert as_uint8(np.array([[0, 127.6, np.nan]])).tolist() == [[0, 128, 0]]
    assert as_uint8(np.array([[0, 255]], np.uint16)).tolist() == [[0, 255]]
    assert as_uint8(np.array([[0, 65535]], np.uint16)).tolist() == [[0, 255]]


# ----------------------------------------------------------------------------- damaged files


def write_bytes(data):
    return lambda path: path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("a.ply", write_bytes(b"ply\nnonsense\n"), "export it again"),
        ("a.ply", write_bytes(b""), "export it again"),
        ("a.ply", lambda p: write_ply(p, COORD, COLOR, np.array([[0, 1, 99]])), "names vertex 99"),
        ("a.ply", lambda p: write_ply(p, COORD * np.nan, COLOR), "no point with finite"),
        ("a.pcd", write_bytes(b"FIELDS x\n"), "its header lacks"),
        ("a.npy", lambda p: np.save(p, np.zeros((4, 5))), r"the shape (4, 5); expected (N, 3)"),
        ("a.npy", lambda p: np.save(p, np.array([{}], dtype=object)), "cannot be read"),
        ("a.npy", lambda p: np.save(p, np.zeros(4, [("x", "f4")])), "expected x, y and z, got x"),
        ("a.las", write_bytes(b"LASF"), "export it again"),
    ],
)  # fmt: skip
def test_a_damaged_cloud_gets_one_line(name, write, message, tmp_path):
    if name.endswith("las"):
        pytest.importorskip("laspy")
    write(tmp_path / name)
    with pytest.raises(ValueError) as error:
        read_cloud(tmp_path / name)
    assert message in str(error.value) and name in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("storage", ["ascii", "binary", "binary_compressed"])
def test_a_cut_pcd(storage, tmp_path):
    write_pcd(tmp_path / "a.pcd", storage)
    data = (tmp_path / "a.pcd").read_bytes()
    (tmp_path / "a.pcd").write_bytes(data[: len(data) - 200])
    with pytest.raises(ValueError, match=r"a\.pcd"):
        read_cloud(tmp_path / "a.pcd")


def test_which_cloud_of_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no cloud; expected a \.ply"):
        find_cloud(tmp_path)
    (tmp_path / "sparse_pc.ply").touch()
    (tmp_path / "._points.ply").touch()  # of macOS
    assert find_cloud(tmp_path).name == "sparse_pc.ply"
    (tmp_path / "dense.PLY").touch()
    with pytest.raises(ValueError, match=r"has the clouds dense.PLY, sparse_pc.ply; name the one"):
        find_cloud(tmp_path)
    (tmp_path / "Points.npy").touch()
    assert find_cloud(tmp_path).name == "Points.npy"
    (tmp_path / "mesh.ply").touch()
    with pytest.raises(ValueError, match="name the one to use"):
        find_cloud(tmp_path)


# ------------------------------------------------------------------------ thinning and normals


def test_thinning_leaves_one_point_per_cell_and_the_way_back():
    coord = np.concatenate([RNG.uniform(0, 1, (3000, 3)), [[np.nan, 0, 0], [0, np.inf, 0]]])
    index, inverse = thin(coord, 0.1)
    cells = np.floor((coord[:3000]) / 0.1).astype(int)
    assert len(index) == len(np.unique(cells, axis=0)) and (np.diff(index) > 0).all()
    assert (inverse[3000:] == -1).all() and inverse.dtype == np.int32
    assert (cells[index[inverse[:3000]]] == cells).all()
    assert (inverse[index] == np.arange(len(index))).all()


def test_thinning_of_nothing_and_of_far_outliers():
    coord = np.array([[0, 0, 0], [0, 0, 0], [np.nan, 0, 0], [1, 0, 0]], dtype=float)
    index, inverse = thin(coord, 0)
    assert index.tolist() == [0, 1, 3] and inverse.tolist() == [0, 1, -1, 2]
    far = np.array([[0, 0, 0], [1e6, 1e6, 1e6], [1e6, 0, 1e6], [0, 0, 0]], dtype=float)
    index, inverse = thin(far, 0.001)  # 1e27 cells do not fit into 64 bits
    assert index.tolist() == [0, 1, 2] and inverse.tolist() == [0, 1, 2, 0]


def test_normals_are_estimated_only_where_they_are_missing():
    coord, surface, _ = raw_scan.room()
    axis = np.where(surface == raw_scan.FLOOR, 2, 1)
    inner = (np.abs(coord[:, 1] - 3) > 0.2) | (coord[:, 2] > 0.2)  # off the edge of the two
    normal = estimate_normals(coord)
    assert np.allclose(np.abs(normal[np.arange(len(coord)), axis][inner]), 1, atol=1e-4)
    given = np.tile(np.float32([0, 0, 3]), (len(coord), 1))
    given[5], given[6] = 0, np.nan
    normal, estimated = complete_normals(coord, given)
    assert np.flatnonzero(estimated).tolist() == [5, 6]
    assert np.allclose(normal[~estimated], [0, 0, 1])
    faced = face_towards(coord, estimate_normals(coord), np.array([[2.0, 1.0, 1.2]]))
    assert (faced[np.arange(len(coord)), axis][inner] * np.where(axis == 2, 1, -1)[inner] > 0).all()


def test_normals_of_a_box_point_to_the_nearest_camera():
    u = np.linspace(0, 3, 40)
    grid = np.stack(np.meshgrid(u, u), -1).reshape(-1, 2)
    floor = np.column_stack([grid, np.zeros(len(grid))])
    wall = np.column_stack([np.full(len(grid), 3.0), grid])
    coord = np.concatenate([floor, wall])
    for cameras in (np.array([[1, 1, 1.5], [0.5, 2, 1]]), np.empty((0, 3))):
        normal = face_towards(coord, estimate_normals(coord), cameras)
        assert normal.dtype == np.float32 and np.allclose(np.linalg.norm(normal, axis=1), 1)
        inside = (np.abs(floor[:, 0] - 1.5) < 1.2) & (np.abs(floor[:, 1] - 1.5) < 1.2)
        assert np.allclose(normal[: len(floor)][inside], [0, 0, 1], atol=1e-3)
        inside = (np.abs(wall[:, 1] - 1.5) < 1.2) & (np.abs(wall[:, 2] - 1.5) < 1.2)
        assert np.allclose(normal[len(floor) :][inside], [-1, 0, 0], atol=1e-3)
    alone = face_towards(coord[:1], estimate_normals(coord[:1]), np.empty((0, 3)))
    assert alone.shape == (1, 3)


def test_normals_of_very_few_points():
    for number in (1, 2, 3):
        normal, estimated = complete_normals(RNG.normal(size=(number, 3)), None)
        assert np.allclose(np.linalg.norm(normal, axis=1), 1) and estimated.all()


# ------------------------------------------------------------------------------ rendered depth


@pytest.mark.parametrize("kind", ["points", "mesh"])
def test_rendered_depth_against_ray_casting(kind):
    coord, surface, face = raw_scan.room()
    normal = np.eye(3)[np.where(surface == raw_scan.FLOOR, 2, 1)]
    intrinsic = raw_scan.DEPTH_INTRINSIC[:3, :3].astype(float)
    if kind == "mesh":
        pytest.importorskip("embreex")
        renderer = MeshDepth(coord, face)
    else:
        renderer = PointDepth(coord, normal, reach_of_points(coord))
    for number in (0, 4):
        pose = raw_scan.pose(number)
        expected, _ = raw_scan.render(intrinsic, raw_scan.DEPTH_SIZE, pose)
        found = renderer.render(intrinsic, np.linalg.inv(pose), raw_scan.DEPTH_SIZE)
        assert ((found > 0) == (expected > 0)).mean() > 0.95  # but for the outline
        both = (found > 0) & (expected > 0)
        error = np.abs(found - expected)[both]
        assert np.median(error) < 1e-4 and np.quantile(error, 0.98) < 0.02


def test_near_surfaces_hide_far_ones():
    near, far = np.mgrid[-5:6, -5:6, 1:2].reshape(3, -1).T, np.mgrid[-19:20, -19:20, 2:3]
    far = far.reshape(3, -1).T
    coord = np.concatenate([0.1 * far * [1, 1, 10], 0.1 * near * [1, 1, 10], [[0, 0, -1.0]]])
    renderer = PointDepth(coord, np.tile([0, 0, 1.0], (len(coord), 1)), np.full(len(coord), 0.1))
    intrinsic = np.array([[20.0, 0, 21.5], [0, 20, 21.5], [0, 0, 1]])
    depth, shown = renderer.draw(intrinsic, np.eye(4), (44, 44))
    assert np.allclose(depth[14:30, 14:30], 1) and (shown[14:30, 14:30] >= len(far)).all()
    assert np.allclose(depth[20, 36:40], 2) and (depth[0] == 0).all() and (shown[0] == -1).all()
