"""Points of .las and .laz files. N points."""

from __future__ import annotations

import importlib.util
import os
import struct
from pathlib import Path

import numpy as np

from .arrays import FileError, reading
from .child import read_in_child

MIN_HEADER, HEADER_1_4 = 227, 375  # bytes
RECORD, EXTENDED_RECORD = 54, 60  # bytes, at least, of a record before and behind the points
COMPRESSED = 0xC0  # bits of the point format
MAX_POINTS_PER_BYTE = 10_000  # of a .laz of which all points are alike
COLUMNS = ("red", "green", "blue", "nx", "ny", "nz")
EXPECTED, DO = "a .las or .laz", "export it again, or as .ply"


def read_las_points(path: str | Path) -> np.ndarray:
    """Points (N,) with the fields x, y, z float64 and, where the file has them, red, green, blue.

    Needs laspy (extra `las`), which reads in a process of its own. FileError for a damaged file.
    """
    with reading(path, EXPECTED, DO):
        if importlib.util.find_spec("laspy") is None:
            raise FileError(f"{path}: reading it needs laspy: pip install 'laspy[lazrs]'")
        check_header(path)
        size = os.path.getsize(path)
        return read_in_child(columns, path, 60 + (size >> 21), 2**30 + 64 * size)


def check_header(path: str | Path) -> None:
    """Raise ValueError where the header announces more than a file of this size can hold."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(HEADER_1_4)
    if head[:4] != b"LASF" or len(head) < MIN_HEADER:
        raise ValueError("it has no LAS header")
    header_size, offset, records = struct.unpack_from("<H2I", head, 94)
    kind, length, count = struct.unpack_from("<BHI", head, 104)
    start, extended = size, 0
    if head[25] >= 4 and len(head) == HEADER_1_4:
        start, extended, count = struct.unpack_from("<QIQ", head, 235)
        start = start if extended else size
    per_point = 1 / MAX_POINTS_PER_BYTE if kind & COMPRESSED else max(length, 1)
    announced = {
        f"points from byte {offset} on": (header_size, offset, size),
        f"{records} records": (0, records * RECORD, offset - header_size),
        f"{extended} extended records": (0, extended * EXTENDED_RECORD, size - start),
        f"{count} points": (0, count * per_point, size - offset),
    }
    for what, (low, value, high) in announced.items():
        if not low <= value <= high:
            raise ValueError(f"its header announces {what}, its size is {size} bytes")


def columns(path: str) -> np.ndarray:
    """`read_las_points` in the child."""
    import laspy

    las = laspy.read(path)
    names = [n for n in las.point_format.dimension_names if n.lower() in COLUMNS]
    fields = {axis: las[axis] for axis in "xyz"} | {name.lower(): las[name] for name in names}
    arrays = {name: np.asarray(values) for name, values in fields.items()}
    points = np.empty(len(las.points), [(name, array.dtype) for name, array in arrays.items()])
    for name, array in arrays.items():
        points[name] = array
    return points
