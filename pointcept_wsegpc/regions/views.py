"""Regions of one view: its depth image lifted to 3D and grown on the pixel grid.

H x W pixels. Pixel centres are at integer coordinates.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from pointcept_wsegpc.camera import back_project
from pointcept_wsegpc.regions.growing import check_settings, flattest_first
from pointcept_wsegpc.regions.kernels import grow_regions

# A depth step between pixels that is steeper than a surface at this slope (tangent of the angle
# between its normal and the optical axis, about 72 degrees) is the edge of something.
MAX_SLOPE = 3.0
NORMAL_ERROR = math.radians(5)  # what depth noise may tilt a normal by, one standard deviation
MAX_RADIUS = 7  # pixels


def window_radius(depth: np.ndarray, focal: float, depth_noise: float) -> np.ndarray:
    """Radius (H,W) in pixels of the square window that a pixel's normal is fitted in.

    A line through s x s pixels of size z/f with noise a z^2 has a slope error of
    sqrt(12) a z f / s^2: s is what brings it down to NORMAL_ERROR. For a usual depth camera that
    is 5 pixels at 1 m and 9 at 5 m at 320 x 240, and 3 up to 4 m at 64 x 48.
    """
    side = np.sqrt(math.sqrt(12) * depth_noise * depth * focal / NORMAL_ERROR)
    return np.clip(np.rint((side - 1) / 2), 1, MAX_RADIUS).astype(np.int32)


@njit(cache=True)
def fit_inverse_depth(row, col, depth, radius, step):
    """Least-squares q = a j + b i + c of the inverse depths around a pixel, with RMS residual.

    i, j: row and column relative to the pixel, up to radius pixels away. Left out are pixels
    without depth and those across a depth edge, whose depth differs by more than step[0] metres
    and step[1] metres per pixel of distance. Residual inf: the pixels determine no plane.
    """
    h, w = depth.shape
    z = depth[row, col]
    n, sj, si, sjj, sij, sii = 0, 0, 0, 0, 0, 0
    sq, sqj, sqi, sqq = 0.0, 0.0, 0.0, 0.0
    for i in range(max(-row, -radius), min(h - row, radius + 1)):
        for j in range(max(-col, -radius), min(w - col, radius + 1)):
            other = depth[row + i, col + j]
            if other == 0.0 or abs(other - z) > step[0] + step[1] * max(abs(i), abs(j)):
                continue
            q = 1.0 / other - 1.0 / z
            n, sj, si, sjj, sij, sii = n + 1, sj + j, si + i, sjj + j * j, sij + i * j, sii + i * i
            sq, sqj, sqi, sqq = sq + q, sqj + q * j, sqi + q * i, sqq + q * q
    jj, ij, ii = n * sjj - sj * sj, n * sij - sj * si, n * sii - si * si
    determinant = jj * ii - ij * ij  # integers: exactly 0 for pixels on one line
    if determinant == 0:
        return 0.0, 0.0, 0.0, np.inf
    qj, qi, qq = n * sqj - sq * sj, n * sqi - sq * si, n * sqq - sq * sq
    a = (qj * ii - qi * ij) / determinant
    b = (qi * jj - qj * ij) / determinant
    variance = (qq - a * qj - b * qi) / (n * n)
    return a, b, (sq - a * sj - b * si) / n + 1.0 / z, math.sqrt(max(variance, 0.0))


@njit(cache=True)
def grid_planes(depth, intrinsic, radius, tolerance, slope):
    """Normal (H,W,3) and RMS residual (H,W) in metres of the surface at every pixel.

    On a plane n . X = 1 the inverse depth is linear in the pixel, 1/z = n . K^-1 (column, row, 1),
    and sensor noise, proportional to z^2, is the same everywhere: so the plane is fitted to
    inverse depth, which stays true where noise is larger than the window is wide and a fit to the
    lifted points would turn towards the viewing ray. depth (H,W): 0 = none; radius (H,W) in
    pixels; tolerance, slope (H,W): the step of fit_inverse_depth. Normal 0, residual inf: no plane.
    """
    h, w = depth.shape
    normal = np.zeros((h, w, 3))
    residual = np.full((h, w), np.inf)
    for row in range(h):
        for col in range(w):
            if depth[row, col] == 0.0:
                continue
            step = (tolerance[row, col], slope[row, col])
            a, b, c, rms = fit_inverse_depth(row, col, depth, radius[row, col], step)
            if rms == np.inf:
                continue
            c -= a * col + b * row
            for k in range(3):  # n = K^T (a, b, c)
                normal[row, col, k] = (
                    intrinsic[0, k] * a + intrinsic[1, k] * b + intrinsic[2, k] * c
                )
            length = math.sqrt((normal[row, col] ** 2).sum())
            normal[row, col] /= length
            residual[row, col] = depth[row, col] * rms / length  # |n . X - 1| / |n|
    return normal, residual


def grid_neighbours(valid: np.ndarray) -> np.ndarray:
    """Neighbour table (H*W, 8) int32 of the pixel grid, -1 = outside the image or not valid."""
    h, w = valid.shape
    index = np.where(valid, np.arange(h * w, dtype=np.int32).reshape(h, w), np.int32(-1))
    index = np.pad(index, 1, constant_values=-1)
    shifts = [(i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    return np.stack([index[i : i + h, j : j + w].ravel() for i, j in shifts], axis=1)


def check_view(depth: np.ndarray, intrinsic: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64, every invalid depth as 0; ValueError for a wrong shape."""
    depth, intrinsic = np.asarray(depth, dtype=np.float64), np.asarray(intrinsic, dtype=np.float64)
    if depth.ndim != 2:
        raise ValueError(f"depth has shape {depth.shape}; expected (H, W)")
    if intrinsic.shape != (3, 3):
        raise ValueError(f"intrinsic has shape {intrinsic.shape}; expected (3, 3)")
    if not min(intrinsic[0, 0], intrinsic[1, 1]) > 0:
        raise ValueError(
            f"focal lengths are {intrinsic[0, 0]} and {intrinsic[1, 1]}; expected both above 0"
        )
    return np.where(np.isfinite(depth) & (depth > 0), depth, 0.0), intrinsic


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
    depth, intrinsic = check_view(depth, intrinsic)
    min_size = max(12, depth.size // 1500) if min_size is None else min_size
    check_settings(max_distance, max_angle, min_size)
    if not depth_noise >= 0:
        raise ValueError(f"depth_noise is {depth_noise}; give a noise per metre of at least 0")

    focal = min(intrinsic[0, 0], intrinsic[1, 1])
    tolerance = np.hypot(max_distance, 3.0 * depth_noise * depth**2)
    radius = window_radius(depth, focal, depth_noise)
    normal, residual = grid_planes(depth, intrinsic, radius, tolerance, MAX_SLOPE * depth / focal)
    seeds = np.flatnonzero(depth)
    order = seeds[flattest_first((residual / tolerance).ravel()[seeds])]
    region = grow_regions(
        back_project(depth, intrinsic).reshape(-1, 3).astype(np.float64),
        normal.reshape(-1, 3),
        grid_neighbours(depth > 0),
        order,
        tolerance.ravel(),
        math.cos(math.radians(max_angle)),
        min_size,
    )
    return region.reshape(depth.shape)
