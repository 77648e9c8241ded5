"""Region growing: planar regions of a point cloud, without any label.

After Lafarge & Mallet, "Creating Large-Scale City Models from 3D-Point Clouds", IJCV 2012, the
algorithm that CGAL's Shape_detection offers too. N points, K entries of a neighbour table.

One core serves clouds and images: `grow_regions` walks a neighbour table, which is k nearest
neighbours in 3D (here) and the 8-neighbourhood of the pixel grid for a view (views.py).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from scipy.spatial import cKDTree

from pointcept_wsegpc.regions.normals import MOMENTS, add_point, fit_plane, local_planes

# A region's plane is fitted anew each time it has grown by REFIT_GROWTH, from FIRST_REFIT points
# on, and taken if the region is REFIT_ASPECT times as wide as it is thick (both RMS). Before that
# the seed's own normal, the flattest of its surroundings, is the better estimate.
FIRST_REFIT = 16
REFIT_GROWTH = 1.25
REFIT_ASPECT = 4.0


@njit(cache=True)
def grow_from_seed(seed, label, coord, normal, neighbour, tolerance, min_cos, region, member):
    """Label all that the seed reaches; the members are written to member[:size]. Returns size.

    The plane starts as the seed's point and normal. Members are visited first in, first out.
    """
    moments = np.zeros(MOMENTS)  # relative to the seed
    x0, y0, z0 = coord[seed]
    px, py, pz = 0.0, 0.0, 0.0
    nx, ny, nz = normal[seed]
    add_point(moments, 0.0, 0.0, 0.0)
    region[seed] = label
    member[0] = seed
    head, size, next_refit = 0, 1, FIRST_REFIT
    while head < size:
        for j in neighbour[member[head]]:
            if j < 0 or region[j] >= 0:
                continue
            cosine = abs(normal[j, 0] * nx + normal[j, 1] * ny + normal[j, 2] * nz)
            if cosine < min_cos:
                continue
            x, y, z = coord[j, 0] - x0, coord[j, 1] - y0, coord[j, 2] - z0
            if abs((x - px) * nx + (y - py) * ny + (z - pz) * nz) > tolerance[j]:
                continue
            region[j] = label
            member[size] = j
            size += 1
            add_point(moments, x, y, z)
            if size >= next_refit:
                next_refit = math.ceil(size * REFIT_GROWTH)
                fit = fit_plane(moments)
                if fit[7] >= REFIT_ASPECT * fit[6]:
                    px, py, pz, nx, ny, nz = fit[:6]
        head += 1
    return size


@njit(cache=True)
def grow_regions(coord, normal, neighbour, order, tolerance, min_cos, min_size):
    """Region (N,) int32 of every point, contiguous from 0 in the order found, -1 = unassigned.

    coord (N,3) and unit normal (N,3) float64, of any sign; a zero normal keeps a point out.
    neighbour (N,K) int32, -1 = none. order: the points to try as seeds, first to last. tolerance
    (N,): largest distance of a point to the plane of the region that takes it, in metres.
    min_cos: least |cosine| between the two normals. A region below min_size points is given up:
    its points are free again for later regions, its seed is not tried twice.
    """
    n = len(coord)
    region = np.full(n, -1, np.int32)
    member = np.empty(n, np.int32)
    count = 0
    for seed in order:
        if region[seed] >= 0 or not normal[seed].any():
            continue
        size = grow_from_seed(
            seed, count, coord, normal, neighbour, tolerance, min_cos, region, member
        )
        if size >= min_size:
            count += 1
        else:
            region[member[:size]] = -1
    return region


def nearest_neighbours(coord: np.ndarray, k: int) -> np.ndarray:
    """(N, k+1) int32: every point (N,3), itself included, with its k nearest; -1 = no more."""
    _, neighbour = cKDTree(coord).query(coord, k=k + 1)
    neighbour[neighbour == len(coord)] = -1  # how scipy says "fewer than k points"
    return neighbour.astype(np.int32)


def flattest_first(residual: np.ndarray) -> np.ndarray:
    """Order of the seeds by residual (N,). What differs by rounding alone goes by index, so that
    exact planes, and points with one and the same neighbourhood, have the same order everywhere.
    """
    return np.argsort(np.round(residual, 6), kind="stable")


def unit(normal: np.ndarray) -> np.ndarray:
    """Normals (N,3) at length 1, in float64; a zero normal stays zero."""
    normal = np.asarray(normal, dtype=np.float64)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    return np.divide(normal, length, out=np.zeros_like(normal), where=length > 0)


def check_settings(max_distance: float, max_angle: float, min_size: int) -> None:
    if not max_distance > 0:
        raise ValueError(f"max_distance is {max_distance}; give a length above 0, in metres")
    if not 0 < max_angle <= 90:
        raise ValueError(f"max_angle is {max_angle}; give an angle above 0, up to 90 degrees")
    if min_size < 1:
        raise ValueError(f"min_size is {min_size}; give a number of points, at least 1")


def partition_growing(
    coord: np.ndarray,
    normal: np.ndarray | None = None,
    color: np.ndarray | None = None,
    *,
    neighbours: int = 12,
    max_distance: float = 0.04,
    max_angle: float = 20.0,
    min_size: int = 50,
) -> np.ndarray:
    """Planar regions of a cloud (N,3): see `partition` for the arrays. Colour plays no part.

    Seeds are taken from the flattest place on: by the RMS distance of a point's neighbourhood to
    its plane. A point is reached through a member that has it among its nearest neighbours, so
    lone points may stay out. WyPR's settings are neighbours=12, max_distance=2 m (which never
    binds indoors), max_angle=20 degrees, min_size=50. The default of 4 cm is about the spacing of
    indoor scans and above their noise; it keeps apart what lies further behind one another.
    """
    check_settings(max_distance, max_angle, min_size)
    if neighbours < 3:
        raise ValueError(f"neighbours is {neighbours}; a plane needs at least 3")
    region = np.full(len(coord), -1, dtype=np.int32)
    finite = np.isfinite(coord).all(axis=1)
    if normal is not None:
        finite &= np.isfinite(normal).all(axis=1)
    if not finite.any():
        return region
    points = np.ascontiguousarray(coord[finite], dtype=np.float64)
    table = nearest_neighbours(points, neighbours)
    estimated, residual = local_planes(points, table)
    region[finite] = grow_regions(
        points,
        estimated if normal is None else unit(normal[finite]),
        table,
        flattest_first(residual),
        np.full(len(points), float(max_distance)),
        math.cos(math.radians(max_angle)),
        min_size,
    )
    return region
