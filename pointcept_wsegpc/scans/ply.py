"""Writes points, and faces where there are some, as binary .ply. N points, F faces."""

import numpy as np

from ..files import atomic_path

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
