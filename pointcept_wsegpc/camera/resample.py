"""One image on another camera's pixel grid. Pixel centers are at integer coordinates."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image


def resample_to(
    image: np.ndarray,
    intrinsic: np.ndarray,
    target_intrinsic: np.ndarray,
    target_size: tuple[int, int],
) -> np.ndarray:
    """Resample an image of one camera onto the grid of another with the same pose (nearest pixel).

    Args: image (H, W, ...) of the camera `intrinsic`; target_size (H', W').
    Returns: (H', W', ...) of the camera `target_intrinsic`; outside the image: 0.
    """
    target = np.asarray(target_intrinsic, dtype=np.float64)
    source = np.asarray(intrinsic, dtype=np.float64)
    rows, cols = np.arange(target_size[0]), np.arange(target_size[1])
    # Same center of projection: the two grids are related per axis, without any depth.
    u = (cols - target[0, 2]) / target[0, 0] * source[0, 0] + source[0, 2]
    v = (rows - target[1, 2]) / target[1, 1] * source[1, 1] + source[1, 2]
    u, v = np.floor(u + 0.5).astype(int), np.floor(v + 0.5).astype(int)
    inside_u, inside_v = (u >= 0) & (u < image.shape[1]), (v >= 0) & (v < image.shape[0])
    result = image[np.where(inside_v, v, 0)[:, None], np.where(inside_u, u, 0)[None, :]]
    result[~(inside_v[:, None] & inside_u[None, :])] = 0
    return result


def nearest_index(old: int, new: int) -> np.ndarray:
    """Index (new,) of the old pixel whose center is nearest to each new one, along one axis."""
    return np.minimum((np.arange(new) + 0.5) * old / new, old - 1).astype(np.int64)


def resample_color(
    image: np.ndarray,
    intrinsic: np.ndarray,
    target_intrinsic: np.ndarray,
    target_size: tuple[int, int],
) -> np.ndarray:
    """Color (h, w, 3) uint8 on the grid (H, W, 3) of another camera with the same pose.

    Like `resample_to`, but antialiased: a target pixel is the mean over the area that it
    covers. Black outside the image.
    """
    edges = []  # left, right, top, bottom of the target image in source pixels, counted from 0
    for axis, pixels in enumerate((target_size[1], target_size[0])):
        target_edges = np.array([-0.5, pixels - 0.5])
        ray = (target_edges - target_intrinsic[axis, 2]) / target_intrinsic[axis, axis]
        edges += list(ray * intrinsic[axis, axis] + intrinsic[axis, 2] + 0.5)
    left, right, top, bottom = edges
    origin = math.floor(left), math.floor(top)
    # A crop may reach beyond the image, which a resize box may not.
    cropped = Image.fromarray(image).crop((*origin, math.ceil(right), math.ceil(bottom)))
    box = (left - origin[0], top - origin[1], right - origin[0], bottom - origin[1])
    resized = cropped.resize(target_size[::-1], Image.Resampling.BILINEAR, box=box)
    return np.asarray(resized)
