"""Points, and faces where there are some, from and to .ply, by plyfile. N points, F faces."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..files import atomic_path
from ..files.arrays import FileError, SizedFile, reading
from .formats import CLOUD_FORMATS, PointCloud, from_columns

EXPECTED = "a .ply of points or a mesh"
MAX_HEADER = 2**20  # bytes
QUESTION_MARKS = bytes(range(128)) + b"?" * 128
SIZES = {1: "char uchar int8 uint8", 2: "short ushort int16 uint16"}
SIZES |= {4: "int uint int32 uint32 float float32", 8: "double float64"}
BYTES = {name.encode(): size for size, names in SIZES.items() for name in names.split()}
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
    comments = [in_ascii(comment) for comment in comments]
    header = PlyData(elements, byte_order="<", comments=comments).header
    with atomic_path(Path(path)) as temporary, open(temporary, "wb") as file:
        file.write(f"{header}\n".encode("ascii"))  # plyfile itself writes lists one by one
        file.write(vertex.tobytes() + triangle.tobytes())


def in_ascii(text: str) -> str:
    """A text as the header of a .ply may hold it: without accents, other signs escaped.

    >>> in_ascii("Stühle"), in_ascii("床")
    ('Stuhle', '\\\\u5e8a')
    """
    letters = "".join(
        c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)
    )
    return " ".join(letters.encode("ascii", "backslashreplace").decode("ascii").split())


def count_vertices(path: str | Path) -> int:
    """Number of vertices that the header of a .ply announces, if the file can hold as many."""
    with reading(path, EXPECTED, "download it again"), _PlyFile(path) as file:
        return file.count["vertex"]


class _PlyFile(SizedFile):
    """A .ply whose header is ASCII and announces no more than the file can hold.

    Whatever the bytes of a comment are, they are question marks to a reader. count: {element: rows
    announced}. Raises ValueError.
    """

    def __init__(self, path: str | Path):
        super().__init__(path)
        head = super().read(MAX_HEADER)
        end = re.search(rb"[\r\n]end_header[\r\n]", head)
        if not head.startswith(b"ply") or end is None:
            self.close()
            raise ValueError("it has no .ply header")
        self.seek(0)
        self.start, self.count, least = end.end(), {}, []
        text = b"format ascii" in head[: self.start]
        for words in map(bytes.split, head[: self.start].splitlines()):
            if words[:1] == [b"element"] and len(words) == 3:
                self.count[words[1].decode("ascii")] = int(words[2])
                least.append([int(words[2]), 0])
            elif words[:1] == [b"property"] and least and len(words) > 2:
                least[-1][1] += 2 if text else BYTES.get(words[1 + (words[1] == b"list")], 1)
        announced = sum(count * max(size, 1) for count, size in least)
        if min(self.count.values(), default=0) < 0 or announced > self.size - self.start + text:
            self.close()
            raise ValueError(f"its header announces {self.count}, its size is {self.size} bytes")

    def read(self, size=-1):
        at, data = self.tell(), super().read(size)
        return data.translate(QUESTION_MARKS) if at < self.start else data


@CLOUD_FORMATS.register(".ply")
def read_ply(path: str | Path, faces: bool = True) -> PointCloud:
    """Vertices of a .ply and, of a mesh, its faces, polygons cut into triangles.

    faces=False: without. Raises FileError for a damaged file.
    """
    from plyfile import PlyData, PlyParseError

    known = {"face": dict.fromkeys(FACE_COLUMNS, 3)}
    with reading(path, EXPECTED, "export it again"):
        try:  # triangles of known length are read as one block instead of one by one
            with _PlyFile(path) as file:
                ply = PlyData.read(file, known_list_len=known)
        except PlyParseError:
            with _PlyFile(path) as file:
                ply = PlyData.read(file)
        vertex = ply["vertex"].data
        cloud = from_columns({name: vertex[name] for name in vertex.dtype.names})
        if faces and "face" in ply:
            face = ply["face"].data
            name = next((name for name in FACE_COLUMNS if name in face.dtype.names), None)
            cloud.face = _triangles(face[name]) if name and len(face) else None
        named = () if cloud.face is None else (cloud.face.min(), cloud.face.max())
        if named and not 0 <= named[0] <= named[1] < len(vertex):
            raise ValueError("its faces name the vertices {} to {}".format(*named))
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
    mesh = read_ply(path)
    if mesh.color is None or mesh.face is None:
        raise FileError(
            f"{path} lacks colors or triangles; expected x y z red green blue and faces: "
            "download it again"
        )
    return mesh.coord.astype(np.float32), mesh.color, mesh.face
