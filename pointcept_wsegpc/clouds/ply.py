"""Writes points, and faces where there are some, as binary .ply. N points, F faces."""

from pathlib import Path

import numpy as np

from ..files import atomic_path
from .formats import named_columns

TYPES = {"f4": "float", "f8": "double", "u1": "uchar", "i2": "short", "i4": "int"}


def write_ply(path, coord, color, face=None, comments=(), **properties):
    """Write coord (N, 3), color (N, 3) uint8, faces (F, 3) and further properties, each (N,).

    Coordinates far from the origin keep 64 bits. comments: lines of the header.
    """
    real = "<f8" if np.abs(coord[np.isfinite(coord)]).max(initial=0) > 1e4 else "<f4"
    columns = {axis: np.asarray(coord[:, i], real) for i, axis in enumerate("xyz")}
    columns |= {name: color[:, i] for i, name in enumerate(("red", "green", "blue"))}
    columns |= properties
    vertex = np.empty(len(coord), [(name, column.dtype.str) for name, column in columns.items()])
    for name, column in columns.items():
        vertex[name] = column
    header = ["ply", "format binary_little_endian 1.0", *(f"comment {line}" for line in comments)]
    header += [f"element vertex {len(coord)}"]
    header += [f"property {TYPES[c.dtype.str[1:]]} {name}" for name, c in columns.items()]
    triangle = np.empty(0, [("count", "u1"), ("index", "<i4", 3)])
    if face is not None:
        triangle = np.empty(len(face), triangle.dtype)
        triangle["count"], triangle["index"] = 3, face
        header += [f"element face {len(face)}", "property list uchar int vertex_indices"]
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(("\n".join([*header, "end_header"]) + "\n").encode())
        file.write(vertex.tobytes() + triangle.tobytes())


def count_vertices(mesh):
    """Number of vertices that the header of a `.ply` announces."""
    with open(mesh, "rb") as file:
        for line in file.read(4096).splitlines():
            if line.startswith(b"element vertex"):
                return int(line.split()[2])
    raise ValueError(f"{mesh}: no 'element vertex' in its header; download it again")


def read_ply(path):
    """Vertices of a .ply and, of a mesh, its faces, polygons cut into triangles."""
    from plyfile import PlyData, PlyParseError

    names = ("vertex_indices", "vertex_index")
    known = {"face": dict.fromkeys(names, 3)}
    try:
        try:  # triangles of known length are read as one block instead of one by one
            ply = PlyData.read(str(path), known_list_len=known)
        except PlyParseError:
            ply = PlyData.read(str(path))
    except PlyParseError as error:
        raise ValueError(f"{path}: {error}; export it again") from error
    vertex = ply["vertex"].data
    cloud = named_columns({name: vertex[name] for name in vertex.dtype.names})
    if "face" in ply:
        face = ply["face"].data
        name = next((name for name in names if name in face.dtype.names), None)
        cloud.face = _triangles(face[name]) if name and len(face) else None
    if cloud.face is not None and not (0 <= cloud.face.min() <= cloud.face.max() < len(vertex)):
        raise ValueError(f"{path}: a face names vertex {cloud.face.max()} of {len(vertex)}")
    return cloud


def _triangles(lists):
    """Faces (F, 3) of polygons, each a fan around its first vertex."""
    if lists.dtype != object:
        return np.asarray(lists, dtype=np.int64).reshape(-1, 3)
    fans = [
        np.stack([np.full(len(p) - 2, p[0]), p[1:-1], p[2:]], axis=1) for p in lists if len(p) > 2
    ]
    return np.concatenate(fans).astype(np.int64) if fans else None


def read_mesh(path):
    """coord (N, 3) float32 m, color (N, 3) uint8, face (F, 3) int64 of a triangle `.ply`."""
    from plyfile import PlyData, PlyParseError

    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} is missing; download the mesh of this scan")
    try:
        # Triangles of known length are read as one block instead of one by one.
        ply = PlyData.read(str(path), known_list_len={"face": {"vertex_indices": 3}})
        vertex, face = ply["vertex"], ply["face"]["vertex_indices"]
        coord = np.stack([vertex[axis] for axis in "xyz"], axis=1).astype(np.float32)
        color = np.stack([vertex[name] for name in ("red", "green", "blue")], axis=1)
    except (PlyParseError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path}: expected vertices with x y z red green blue and triangles ({error}); "
            "download it again"
        ) from error
    face = np.asarray(face, dtype=np.int64).reshape(-1, 3)
    if face.size and (face.min() < 0 or face.max() >= len(coord)):
        raise ValueError(f"{path}: a face names vertex {face.max()}, there are {len(coord)}")
    return coord, color.astype(np.uint8), face
