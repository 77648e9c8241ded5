"""What every format of point clouds has in common."""

from dataclasses import dataclass

import numpy as np


@dataclass
class CloudFile:
    """coord (N, 3) float64 in the file's unit; what the file lacks is None.

    color (N, 3) uint8 · normal (N, 3) float32, of any length · face (F, 3) int64.
    """

    coord: np.ndarray
    color: np.ndarray | None = None
    normal: np.ndarray | None = None
    face: np.ndarray | None = None


def named_columns(columns):
    """CloudFile of a mapping from the usual names (x, red or r, nx or normal_x, …) to (N,)."""

    def take(*choices):
        found = next((names for names in choices if all(n in columns for n in names)), None)
        return None if found is None else np.stack([columns[n] for n in found], axis=1)

    coord = take("xyz", "XYZ")
    if coord is None:
        raise ValueError(f"expected x, y and z, got {', '.join(columns)}")
    color = take(
        ("red", "green", "blue"), ("r", "g", "b"), ("diffuse_red", "diffuse_green", "diffuse_blue")
    )
    normal = take(("nx", "ny", "nz"), ("normal_x", "normal_y", "normal_z"))
    return CloudFile(
        coord.astype(np.float64),
        None if color is None else as_uint8(color),
        None if normal is None else normal.astype(np.float32),
    )


def as_uint8(color):
    """Colours (N, 3) of any type as uint8: floats 0..1 or 0..255, integers of 8 or 16 bits."""
    if color.dtype == np.uint8:
        return color
    top = np.nanmax(color) if color.size else 0
    if color.dtype.kind == "f":
        color = np.nan_to_num(color) * (255 if top <= 1 else 1)
    elif top > 255:
        color = color / 257
    return np.clip(np.rint(color), 0, 255).astype(np.uint8)
