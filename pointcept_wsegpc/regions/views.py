"""Regions of one view: its depth image lifted to 3D and grown on the pixel grid.

H x W pixels. Pixel centres are at integer coordinates.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from pointcept_wsegpc.regions.growing import check_settings, grow_regions
from pointcept_wsegpc.regions.normals import MOMENTS, add_point, fit_plane

# A depth step between pixels that is steeper than a surface at this slope (tangent of the angle
# between its normal and the optical axis, about 72 degrees) is the edge of something.
MAX_SLOPE = 3.0
NORMAL_ERROR = math.radians(5)  # what depth noise may tilt a normal by, one standard deviation
MAX_RADIUS = 7  # pixels


def lift(depth: np.ndarray, intrinsic: np.ndarray) -> np.ndarray:
    """Camera coordinates (H,W,3) in metres of a z-depth image (H,W): z K^-1 (column, row, 1)."""
    row, col = np.indices(depth.shape)
    pixel = np.stack([col, row, np.ones_like(row)], axis=-1)
    return (pixel @ np.linalg.inv(intrinsic).T) * depth[..., None]


def window_radius(depth: np.ndarray, focal: float, depth_noise: float) -> np.ndarray:
    """Radius (H,W) in pixels of the square window that a pixel's normal is fitted in.

    A line through s x s pixels of size z/f with noise a z^2 has a slope error of
    sqrt(12) a z f / s^2: s is what brings it down to NORMAL_ERROR. At 320 x 240 that is 5 pixels
    at 1 m and 9 at 5 m; at 64 x 48 it is always 3.
    """
    side = np.sqrt(math.sqrt(12) * depth_noise * depth * focal / NORMAL_ERROR)
    return np.clip(np.rint((side - 1) / 2), 1, MAX_RADIUS).astype(np.int32)


@njit(cache=True)
def grid_planes(coord, radius, tolerance, slope):
    """Normal (H,W,3) and RMS residual (H,W) in metres of the surface at every pixel.

    coord (H,W,3) in metres in the camera frame, z = 0: no depth. The plane is fitted in a window
    of radius (H,W) pixels, without those across a depth edge: whose depth differs by more than
    tolerance (H,W) metres and slope (H,W) metres per pixel of distance. 0 and inf: no plane.
    """
    h, w, _ = coord.shape
    normal = np.zeros((h, w, 3))
    residual = np.full((h, w), np.inf)
    moments = np.empty(MOMENTS)
    for row in range(h):
        for col in range(w):
            x, y, z = coord[row, col]
            if z == 0.0:
                continue
            moments[:] = 0.0
            reach = radius[row, col]
            for i in range(max(row - reach, 0), min(row + reach + 1, h)):
                for j in range(max(col - reach, 0), min(col + reach + 1, w)):
                    limit = slope[row, col] * max(abs(i - row), abs(j - col)) + tolerance[row, col]
                    if coord[i, j, 2] > 0.0 and abs(coord[i, j, 2] - z) <= limit:
                        add_point(
                            moments, coord[i, j, 0] - x, coord[i, j, 1] - y, coord[i, j, 2] - z
                        )
            plane = fit_plane(moments)
            normal[row, col, 0], normal[row, col, 1], normal[row, col, 2] = plane[3:6]
            residual[row, col] = plane[6]
    return normal, residual


def grid_neighbours(valid: np.ndarray) -> np.ndarray:
    """Neighbour table (H*W, 8) int32 of the pixel grid, -1 = outside the image or not valid."""
    h, w = valid.shape
    index = np.where(valid, np.arange(h * w, dtype=np.int32).reshape(h, w), np.int32(-1))
    index = np.pad(index, 1, constant_values=-1)
    shifts = [(i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    return np.stack([index[i : i + h, j : j + w].ravel() for i, j in shifts], axis=1)


def partition_view(
    depth: np.ndarray,
    intrinsic: np.ndarray,
    *,
    max_distance: float = 0.04,
    max_angle: float = 20.0,
    min_size: int | None = None,
    depth_noise: float = 0.0015,
) -> np.ndarray:
    """Partition a view into planar regions: (H,W) int32, contiguous from 0, -1 = none.

    depth (H,W): z-depth in metres; 0, negative or not finite = invalid, stays -1. intrinsic (3,3)
    at this resolution. The rule is that of `partition_growing` on the 8-neighbourhood of the grid.

    Sensor noise grows with depth squared: its standard deviation is depth_noise * z^2 metres
    (0.0015 / m is a structured-light sensor's). A pixel may be hypot(max_distance,
    3 depth_noise z^2) off its region's plane, seeds go by residual relative to that, and the
    window for normals grows with it (window_radius). min_size is in pixels; None means 1 pixel in
    1500 of the image, and at least 12 (51 at 320 x 240).
    """
    depth, intrinsic = np.asarray(depth, dtype=np.float64), np.asarray(intrinsic, dtype=np.float64)
    if depth.ndim != 2:
        raise ValueError(f"depth has shape {depth.shape}; expected (H, W)")
    if intrinsic.shape != (3, 3) or not min(intrinsic[0, 0], intrinsic[1, 1]) > 0:
        raise ValueError(f"intrinsic is {intrinsic.tolist()}; expected (3, 3), focal lengths > 0")
    min_size = max(12, depth.size // 1500) if min_size is None else min_size
    check_settings(max_distance, max_angle, min_size)
    if not depth_noise >= 0:
        raise ValueError(f"depth_noise is {depth_noise}; give a noise per metre of at least 0")

    valid = np.isfinite(depth) & (depth > 0)
    depth = np.where(valid, depth, 0.0)
    coord = lift(depth, intrinsic)
    focal = min(intrinsic[0, 0], intrinsic[1, 1])
    tolerance = np.hypot(max_distance, 3.0 * depth_noise * depth**2)
    radius = window_radius(depth, focal, depth_noise)
    normal, residual = grid_planes(coord, radius, tolerance, MAX_SLOPE * depth / focal)
    seeds = np.flatnonzero(valid)
    order = seeds[np.argsort((residual / tolerance).ravel()[seeds], kind="stable")]
    region = grow_regions(
        coord.reshape(-1, 3),
        normal.reshape(-1, 3),
        grid_neighbours(valid),
        order,
        tolerance.ravel(),
        math.cos(math.radians(max_angle)),
        min_size,
    )
    return region.reshape(depth.shape)
