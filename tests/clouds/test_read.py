"""Readers and writers of clouds."""

import struct

import numpy as np
import pytest
from plyfile import PlyData, PlyElement

from pointcept_wsegpc.clouds.formats import CLOUD_FORMATS, PointCloud, as_uint8
from pointcept_wsegpc.clouds.pcd import decompress_lzf
from pointcept_wsegpc.clouds.ply import count_vertices, read_ply, write_columns, write_ply
from pointcept_wsegpc.clouds.read import find_cloud, read_cloud
from pointcept_wsegpc.files.las import check_header

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


def test_ply_by_its_bytes(tmp_path):
    """The layout that the format prescribes, packed by hand."""
    face, label = np.zeros((1, 3)), np.int16([258])
    write_ply(tmp_path / "a.ply", COORD[:1], COLOR[:1], face, ["one", "two"], label=label)
    header = (
        "ply\nformat binary_little_endian 1.0\ncomment one\ncomment two\nelement vertex 1\n"
        "property float x\nproperty float y\nproperty float z\nproperty uchar red\n"
        "property uchar green\nproperty uchar blue\nproperty short label\nelement face 1\n"
        "property list uchar int vertex_indices\nend_header\n"
    )
    body = struct.pack("<3f3Bh", *COORD[0], *COLOR[0], 258) + struct.pack("<B3i", 3, 0, 0, 0)
    assert (tmp_path / "a.ply").read_bytes() == header.encode() + body
    assert count_vertices(tmp_path / "a.ply") == 1
    assert read_ply(tmp_path / "a.ply", faces=False).face is None
    write_columns(tmp_path / "b.ply", dict(zip("xyz", COORD.T.astype(">f8"), strict=True)))
    assert_cloud(tmp_path / "b.ply", color=None, atol=0)


def test_any_text_in_a_ply_header(tmp_path):
    """Comments of other programs are read over; ours are readable to plyfile."""
    face = np.array([[0, 1, 2]])
    write_ply(tmp_path / "a.ply", COORD, COLOR, face, ["label 0 Fußboden", "label 1 Stühle 椅子"])
    comments = PlyData.read(str(tmp_path / "a.ply")).comments
    assert comments == [r"label 0 Fu\xdfboden", r"label 1 Stuhle \u6905\u5b50"]
    data = (tmp_path / "a.ply").read_bytes()
    for text in ("by René".encode("latin-1"), "製作者".encode(), b"\xff\xfe\x00"):
        lines = b"comment " + text + b"\nobj_info " + text + b"\nelement vertex"
        (tmp_path / "b.ply").write_bytes(data.replace(b"element vertex", lines))
        assert (assert_cloud(tmp_path / "b.ply").face == face).all()
        assert count_vertices(tmp_path / "b.ply") == len(COORD)


@pytest.mark.parametrize("text", [True, False])
def test_ply_of_polygons_with_normals_and_float_colors(text, tmp_path):
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
    layout = [
        ("x", "<f4"),
        ("y", "<f4"),
        ("z", "<f4"),
        ("rgb", "<f4"),
        ("normal_x", "<f4"),
        ("normal_y", "<f4"),
        ("normal_z", "<f4"),
        ("_", "u1", 2),
    ]
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


def test_columns_of_unit_vectors_are_normals(tmp_path):
    unit = NORMAL / np.linalg.norm(NORMAL, axis=1, keepdims=True)
    unit[3] = 0  # a missing one
    for name, columns, color in (("a", [unit], None), ("b", [unit, COLOR], COLOR)):
        np.save(tmp_path / f"{name}.npy", np.concatenate([COORD, *columns], axis=1))
        assert_cloud(tmp_path / f"{name}.npy", color, unit)


@pytest.mark.parametrize("value", [0, 255])
def test_one_color_for_all_points_is_none(value, tmp_path):
    write_ply(tmp_path / "a.ply", COORD, np.full_like(COLOR, value))
    assert_cloud(tmp_path / "a.ply", color=None)


def test_las(tmp_path):
    laspy, _ = pytest.importorskip("laspy"), pytest.importorskip("lazrs")
    for depth, factor in ((16, 257), (8, 1)):  # some programs write 8 bits where 16 belong
        las = laspy.create(point_format=2, file_version="1.2")
        las.header.offsets, las.header.scales = COORD.min(0), [1e-4] * 3
        las.x, las.y, las.z = COORD.T
        las.red, las.green, las.blue = COLOR.astype(np.uint16).T * factor
        las.write(tmp_path / f"{depth}.las")
        assert_cloud(tmp_path / f"{depth}.las", atol=1e-4)
    las.write(tmp_path / "a.laz")
    assert_cloud(tmp_path / "a.laz", atol=1e-4)


@pytest.mark.parametrize(
    ("at", "code", "value"),
    [(96, "I", 2**31), (100, "I", 2**32 - 1), (107, "I", 2**32 - 1), (247, "Q", 2**62)],
)
@pytest.mark.parametrize("ending", ["las", "laz"])
def test_a_las_header_is_compared_with_the_size_of_the_file(at, code, value, ending, tmp_path):
    """Of points, records and points again; before laspy loops over what is announced."""
    laspy, _ = pytest.importorskip("laspy"), pytest.importorskip("lazrs")
    path, new = tmp_path / f"a.{ending}", code == "Q"
    las = laspy.create(point_format=7 if new else 3, file_version="1.4" if new else "1.2")
    las.x, las.y, las.z = COORD.T
    las.write(path)
    check_header(path)
    data = bytearray(path.read_bytes())
    struct.pack_into(f"<{code}", data, at, value)
    path.write_bytes(data)
    with pytest.raises(ValueError, match="its header announces"):
        check_header(path)


def test_ranges_of_colors():
    assert as_uint8(np.array([[0, 0.5, 1.0]])).tolist() == [[0, 128, 255]]
    assert as_uint8(np.array([[0, 127.6, np.nan]])).tolist() == [[0, 128, 0]]
    assert as_uint8(np.array([[0, 0.5, 1.0001]])).tolist() == [[0, 128, 255]]
    assert as_uint8(np.array([[0, 0.5, np.inf]])).tolist() == [[0, 128, 0]]
    assert as_uint8(np.array([[0, 255]], np.uint16)).tolist() == [[0, 255]]
    assert as_uint8(np.array([[0, 65535]], np.uint16)).tolist() == [[0, 255]]


# ----------------------------------------------------------------------------- damaged files


PLY = (
    b"ply\nformat ascii 1.0\nelement vertex %d\nproperty float x\nproperty float y\n"
    b"property float z\nproperty uchar red\nproperty uchar green\nproperty uchar blue\n"
    b"end_header\n0 0 0 %d 0 0\n"
)
PCD = b"FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nPOINTS %s\nDATA binary\n" + bytes(12)


def write_bytes(data):
    return lambda path: path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("a.ply", write_bytes(b"ply\nnonsense\n"), "export it again"),
        ("a.ply", write_bytes(b""), "export it again"),
        ("a.ply", write_bytes(PLY % (10**12, 1)), "{'vertex': 1000000000000}"),
        ("a.ply", write_bytes(PLY % (1, 300)), "out of bounds"),
        ("a.pcd", write_bytes(PCD % b"1000000000000"), "announces 1000000000000 points"),
        ("a.pcd", write_bytes(PCD % b"-99999999999999999999"), "announces -9999999999"),
        ("a.npy", write_bytes(b"\x93NUMPY\x01\x00\x03\x00{(\n"), "export it again"),
        ("a.ply", lambda p: write_ply(p, COORD, COLOR, np.array([[0, 1, 99]])), "vertices 0 to 99"),
        ("a.ply", lambda p: write_ply(p, COORD * np.nan, COLOR), "no point with finite"),
        ("a.pcd", write_bytes(b"FIELDS x\n"), "its header lacks"),
        ("a.npy", lambda p: np.save(p, np.zeros((4, 5))), r"the shape (4, 5); expected (N, 3)"),
        ("a.npy", lambda p: np.save(p, np.array([{}], dtype=object)), "cannot be read"),
        ("a.npy", lambda p: np.save(p, np.zeros(4, [("x", "f4")])), "expected x, y and z, got x"),
        ("a.las", write_bytes(b"LASF"), "export it again"),
    ],
)
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


def test_a_format_from_outside(tmp_path, monkeypatch):
    monkeypatch.setattr(CLOUD_FORMATS, "_entries", dict(CLOUD_FORMATS._entries))

    @CLOUD_FORMATS.register(".pts")  # as Leica's programs write it: a count, then x y z i r g b
    def read_pts(path):
        values = np.loadtxt(path, skiprows=1)
        return PointCloud(values[:, :3], values[:, 4:].astype(np.uint8))

    rows = np.concatenate([COORD, COORD[:, :1], COLOR], axis=1)
    np.savetxt(tmp_path / "a.pts", rows, header="40", comments="")
    assert find_cloud(tmp_path).name == "a.pts"
    assert_cloud(tmp_path / "a.pts")
    (tmp_path / "a.pts").write_text("1\nx\n")
    with pytest.raises(ValueError, match=r"a\.pts"):
        read_cloud(tmp_path / "a.pts")


def test_which_cloud_of_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no cloud; expected a \."):
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
