"""What all point cloud formats share. N points, F faces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..registry import Registry
from .clean import MAX_FLOAT

# An entry is registered under its ending (".ply") and reads a Path into a PointCloud, in the
# order of the file, so that labels can return to it. Whatever it raises becomes a FileError.
CLOUD_FORMATS = Registry("cloud format")

COORD_COLUMNS = (("x", "y", "z"), ("X", "Y", "Z"))
COLOR_COLUMNS = (
    ("red", "green", "blue"),
    ("r", "g", "b"),
    ("diffuse_red", "diffuse_green", "diffuse_blue"),
)
NORMAL_COLUMNS = (("nx", "ny", "nz"), ("normal_x", "normal_y", "normal_z"))


@dataclass
class PointCloud:
    """coord (N, 3) float64 in the file's unit; what the file lacks is None.

    color (N, 3) uint8 · normal (N, 3) float32, of any length · face (F, 3) int64.
    """

    coord: np.ndarray
    color: np.ndarray | None = None
    normal: np.ndarray | None = None
    face: np.ndarray | None = None


def from_columns(columns: Mapping[str, np.ndarray]) -> PointCloud:
    """The cloud of {usual name: (N,)}; raises ValueError where there are no coordinates."""
    coord = _stack(columns, COORD_COLUMNS)
    if coord is None:
        raise ValueError(f"expected x, y and z, got {', '.join(columns)}")
    if not all(np.ndim(column) == 1 for column in columns.values()):
        raise ValueError("expected a number for each point in every column")
    color, normal = _stack(columns, COLOR_COLUMNS), _stack(columns, NORMAL_COLUMNS)
    return PointCloud(
        coord.astype(np.float64),
        None if color is None else as_uint8(color),
        None if normal is None else normal.astype(np.float32),
    )


def _stack(columns, choices):
    found = next((names for names in choices if all(name in columns for name in names)), None)
    return None if found is None else np.stack([columns[name] for name in found], axis=1)


def as_uint8(color: np.ndarray) -> np.ndarray:
    """Colors (N, 3) of any type as uint8: floats 0..1 or 0..255, integers of 8 or 16 bits."""
    if color.dtype == np.uint8:
        return color
    known = np.isfinite(color)
    top = color.max(initial=0, where=known)
    if color.dtype.kind == "f":
        color = np.where(known, color, 0) * (255 if top <= MAX_FLOAT else 1)
    elif top > 255:
        color = color / 257
    return np.clip(np.rint(color), 0, 255).astype(np.uint8)
