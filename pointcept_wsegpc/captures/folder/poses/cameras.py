"""Cameras of images, as programs write them. Pixel centers are at integer coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....files import read_json
from ....files.arrays import reading
from ...numbers import DO, read_numbers
from ..layout import find

MIN_FOCAL = 2.0  # px; smaller ones are in image widths
# In the order in which they are looked for.
INTRINSIC_FILES = (
    *("intrinsic.txt", "camera.json", "intrinsic.json", "intrinsics.txt", "intrinsics.json"),
    *("camera[-_]intrinsics.txt", "cam_params.json"),
)


@dataclass(frozen=True)
class Camera:
    """intrinsic (3, 3) px at `size` (H, W), or at the size of its images where that is None.

    distortion: OpenCV's coefficients k1 k2 p1 p2 k3 k4 k5 k6, as many as there are. A negative
    focal length is that of an image whose rows or columns run the other way.
    """

    intrinsic: np.ndarray
    size: tuple | None = None
    distortion: tuple = ()

    def __post_init__(self):
        fx, fy = self.intrinsic[0, 0], self.intrinsic[1, 1]
        if not np.isfinite(self.intrinsic).all() or not np.isfinite(self.distortion).all():
            raise ValueError("intrinsics that are no numbers")
        if not min(abs(fx), abs(fy)) > MIN_FOCAL:
            raise ValueError(f"focal lengths of {fx:g} and {fy:g}; expected those in pixels")
        if self.size is not None and min(self.size) < 1:
            raise ValueError(f"a camera with images of {self.size[1]} x {self.size[0]} pixels")


def pinhole(fx: float, fy: float, cx: float, cy: float) -> np.ndarray:
    """The intrinsic (3, 3) of focal lengths and principal point in px."""
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=np.float64)


def read_intrinsic(path: Path) -> Camera:
    """The camera in a file: JSON, a matrix, or `fx fy cx cy [k1 k2 p1 p2 k3]`."""
    expected = "a 3x3 or 4x4 matrix, or fx fy cx cy [k1 k2 p1 p2 k3]"
    with reading(path, expected, DO):
        if path.suffix.lower() == ".json":
            return camera_of(read_json(path))
        values = read_numbers(path)
        if len(values) in (9, 16) and values[-1] == 1:
            side = round(len(values) ** 0.5)
            return Camera(np.reshape(values, (side, side))[:3, :3])
        if 4 <= len(values) <= 12:
            return Camera(pinhole(*values[:4]), distortion=tuple(values[4:]))
        raise ValueError(f"{len(values)} numbers")


def camera_of(values: dict) -> Camera:
    """A camera as JSON has it: fx, fy, cx, cy, and a size; or Open3D's matrix, column by column."""
    values = values.get("camera", values)
    height, width = (values.get(key, values.get(key[0])) for key in ("height", "width"))
    size = None if height is None or width is None else (int(height), int(width))
    if "intrinsic_matrix" in values:
        matrix = np.reshape(values["intrinsic_matrix"], (3, 3)).T.astype(np.float64)
    else:
        matrix = pinhole(*(float(values[key]) for key in ("fx", "fy", "cx", "cy")))
    return Camera(matrix, size)


def intrinsic_file(scene: Path) -> Path | None:
    """The file of the one camera of a scene, if there is one."""
    return next((path for name in INTRINSIC_FILES for path in find(scene, name)), None)


def find_intrinsic(scene: Path, hint: str = "") -> Camera:
    """The camera of a scene whose poses come without one; FileNotFoundError says what to write."""
    path = intrinsic_file(scene)
    if path is None:
        raise FileNotFoundError(
            f"{scene} has poses but no intrinsics; write fx fy cx cy in pixels to intrinsic.txt"
            f"{hint}"
        )
    return read_intrinsic(path)
