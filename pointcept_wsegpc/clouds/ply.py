"""Points, and faces where there are some, from and to .ply, by plyfile. N points, F faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..files import atomic_path
from .formats import CLOUD_FORMATS, PointCloud, from_columns

FACE_COLUMNS = ("vertex_indices", "vertex_index")
FAR = 1e4  # from the origin; beyond, 32 bits of a coordinate in meters are coarse


def write_ply(
    path: str | Path,
    coord: np.ndarray,
    color: np.ndarray | None = None,
    face: np.ndarray | None = None,
    comments: Sequence[str] = (),
    **properties: np.ndarray,
) -> None:
    """Write coord (N, 3), color (N, 3) uint8, faces (F, 3) and further properties, each (N,).

    Coordinates far from the origin keep 64 bits. comments: lines of the header.
    """
    real = "<f8" if np.abs(coord[np.isfinite(coord)]).max(initial=0) > FAR else "<f4"
    columns = {axis: np.asarray(coord[:, i], real) for i, axis in enumerate("xyz")}
    if color is not None:
        columns |= {name: color[:, i] for i, name in enumerate(("red", "green", "blue"))}
    write_columns(path, {**columns, **properties}, face, comments)


def write_columns(
    path: str | Path,
    columns: Mapping[str, np.ndarray],
    face: np.ndarray | None = None,
    comments: Sequence[str] = (),
) -> None:
    """Write {property: (N,)} of the vertices in their own types, and triangles (F, 3)."""
    from plyfile import PlyData, PlyElement

    types = [(name, column.dtype.newbyteorder("<")) for name, column in columns.items()]
    vertex = np.empty(len(next(iter(columns.values()))), types)
    for name, column in columns.items():
        vertex[name] = column
    elements = [PlyElement.describe(vertex, "vertex")]
    triangle = np.empty(0 if face is None else len(face), [("count", "u1"), ("index", "<i4", (3,))])
    if face is not None:
        triangle["count"], triangle["index"] = 3, face
        lists = np.zeros(len(face), [(FACE_COLUMNS[0], "<i4", (3,))])
        elements.append(PlyElement.describe(lists, "face"))
    header = PlyData(elements, byte_order="<", comments=list(comments)).header
    with atomic_path(Path(path)) as temporary, open(temporary, "wb") as file:
        file.write(f"{header}\n".encode())  # plyfile itself writes lists one by one
        file.write(vertex.tobytes() + triangle.tobytes())


def count_vertices(path: str | Path) -> int:
    """Number of vertices that the header of a .ply announces; nothing else is read."""
    with open(path, "rb") as file:
        for line in file.read(4096).splitlines():
            if line.startswith(b"element vertex"):
                return int(line.split()[2])
    raise ValueError(f"{path}: no 'element vertex' in its header; download it again")


@CLOUD_FORMATS.register(".ply")
def read_ply(path: str | Path, faces: bool = True) -> PointCloud:
    """Vertices of a .ply and, of a mesh, its faces, polygons cut into triangles.

    faces=False: without. Raises ValueError in one line for a damaged file.
    """
    from plyfile import PlyData, PlyParseError

    known = {"face": dict.fromkeys(FACE_COLUMNS, 3)}
    try:
        try:  # triangles of known length are read as one block instead of one by one
            ply = PlyData.read(str(path), known_list_len=known)
        except PlyParseError:
            ply = PlyData.read(str(path))
        vertex = ply["vertex"].data
    except (PlyParseError, KeyError) as error:
        raise ValueError(f"{path}: {error}; expected a .ply, export it again") from error
    cloud = from_columns({name: vertex[name] for name in vertex.dtype.names})
    if faces and "face" in ply:
        face = ply["face"].data
        name = next((name for name in FACE_COLUMNS if name in face.dtype.names), None)
        cloud.face = _triangles(face[name]) if name and len(face) else None
    if cloud.face is not None and not (0 <= cloud.face.min() <= cloud.face.max() < len(vertex)):
        raise ValueError(
            f"{path}: faces name the vertices {cloud.face.min()} to {cloud.face.max()}, expected "
            f"0 to {len(vertex) - 1}; export it again"
        )
    return cloud


def _triangles(lists):
    """Faces (F, 3) of polygons, each a fan around its first vertex; None without any."""
    if lists.dtype != object:
        return np.asarray(lists, dtype=np.int64).reshape(-1, 3)
    fans = [
        np.stack([np.full(len(p) - 2, p[0]), p[1:-1], p[2:]], axis=1) for p in lists if len(p) > 2
    ]
    return np.concatenate(fans).astype(np.int64) if fans else None


def read_mesh(path: str | Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """coord (N, 3) float32 m, color (N, 3) uint8, face (F, 3) int64 of a colored mesh."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} is missing; download the mesh of this scan")
    try:
        mesh = read_ply(path)
    except ValueError as error:
        raise ValueError(f"{path} is no mesh ({error}); download it again") from error
    if mesh.color is None or mesh.face is None:
        raise ValueError(
            f"{path} lacks colors or triangles; expected x y z red green blue and faces: "
            "download it again"
        )
    return mesh.coord.astype(np.float32), mesh.color, mesh.face
