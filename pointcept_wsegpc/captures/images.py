"""Color and depth images from files, whatever their bits; shared by all captures.

h x w pixels as stored in the file. Depth in meters, 0 = no measurement.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from ..files.arrays import read_array, reading
from .frames import MAX_METERS, BadFrame

# No measurement: the largest values of 16 bits, as integers and as half floats, and beyond.
NO_DEPTH, NO_FLOAT_DEPTH = 65534, 65504.0
# A farthest depth that is no surface: so far, in this share of an image, and so much more often
# than any depth a tenth nearer: what a sensor clips, or a rescaled 65535.
TOP_METERS, TOP_SHARE, TOP_RATIO = 10.0, 0.01, 10
BITS = (8, 10, 12, 14, 16)  # of sensors, whose values come in files of 16 bits


@contextlib.contextmanager
def open_image(path: str | Path) -> Iterator[Image.Image]:
    """An image file, opened; OSError or FileError for one that cannot be read, now or later."""
    with reading(path, "an image"), Image.open(path) as file:
        yield file


def image_size(path: str | Path) -> tuple[int, int] | None:
    """(H, W) of an image file; None where it cannot be read."""
    try:
        with open_image(path) as file:
            return file.height, file.width
    except (OSError, ValueError):
        return None


def read_depth(path: str | Path, scale: float) -> np.ndarray:
    """Depth (h, w) float32 m of a 16-bit image with `scale` values in a meter, or of float meters.

    An image of 8 bits has lost its depth: BadFrame.
    """
    depth = _read_image(path, "depth")
    if depth.dtype.itemsize == 1:
        raise BadFrame("8-bit depth image (256 steps are no depth: export 16 bits)")
    if depth.ndim != 2:
        raise BadFrame("depth image with several channels (export one channel of 16 bits)")
    depth = measured(depth, scale)
    if not depth.any():
        raise BadFrame("blank depth")
    return depth


def measured(depth: np.ndarray, scale: float) -> np.ndarray:
    """Depth (h, w) float32 m of a sensor's values, 0 where they are no measurement.

    scale: values in a meter; floats are meters. BadFrame for floats that cannot be.
    """
    in_meters = depth.dtype.kind == "f"
    known = np.isfinite(depth) & (depth > 0)
    known &= depth < (NO_FLOAT_DEPTH if in_meters else NO_DEPTH)
    meters = np.where(known, depth, 0).astype(np.float32)
    if in_meters and known.any() and np.median(meters[known]) > MAX_METERS:
        raise BadFrame("floating-point depth in another unit than meters (no option scales it)")
    meters = meters if in_meters else meters / np.float32(scale)
    meters[meters > MAX_METERS] = 0
    top = meters.max(initial=0)
    if top >= TOP_METERS:
        value, count = np.unique(meters[meters >= 0.9 * top], return_counts=True)
        if count[-1] > TOP_SHARE * meters.size and count[-1] > TOP_RATIO * count[:-1].max(
            initial=0
        ):
            meters[meters == value[-1]] = 0
    return meters


def read_color(path: str | Path) -> np.ndarray:
    """Color (h, w, 3) uint8 of an image file as stored: an EXIF rotation is not applied.

    Grays of 16 bits, and floats, are brought to 8. BadFrame for an image of one value.
    """
    color = _read_image(path, "color")
    check_color(color)
    return color


def check_color(color: np.ndarray) -> None:
    """BadFrame for an image (h, w, 3) that shows nothing."""
    if color.size and (color == color[:1, :1]).all():
        raise BadFrame("blank color image (one value)")


def _read_image(path, kind):
    try:
        if Path(path).suffix.lower() == ".npy":
            return read_array(path).squeeze()
        with open_image(path) as file:
            if kind == "depth":
                return _without_stretch(np.asarray(file), path)
            if file.mode[0] in "IF":
                return np.repeat(_eight_bits(np.asarray(file))[..., None], 3, axis=2)
            return np.asarray(file.convert("RGB"))
    except FileNotFoundError as error:
        raise BadFrame(f"no {kind} image where one is named") from error
    except (OSError, ValueError) as error:
        raise BadFrame(f"unreadable {kind} image") from error


def _eight_bits(gray):
    """Grays (h, w) uint8 of integers of the fewest BITS that hold them, or of floats up to 1."""
    known = np.isfinite(gray) & (gray > 0)
    gray = np.where(known, gray, 0).astype(np.float64)
    top = gray.max(initial=0)
    full = next((2.0**bits - 1 for bits in BITS if top < 2**bits), top)
    full = 1.0 if top <= 1 else full
    return np.rint(gray * (255 / full)).astype(np.uint8)


def _without_stretch(image, path):
    """The values of a .pgm, which Pillow stretches from the largest that its header names."""
    if Path(path).suffix.lower() not in (".pgm", ".pnm") or image.dtype.itemsize == 1:
        return image
    with open(path, "rb") as file:
        header = re.sub(rb"#[^\n]*\n", b" ", file.read(1000)).split(maxsplit=4)
    return np.rint(image * (int(header[3]) / 65535)).astype(np.int32)
