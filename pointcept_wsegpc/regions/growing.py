"""Region growing: planar regions of a point cloud, without any label.

After Lafarge & Mallet, "Creating Large-Scale City Models from 3D-Point Clouds", IJCV 2012, the
algorithm that CGAL's Shape_detection offers too. N points.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial import cKDTree

from pointcept_wsegpc.regions.kernels import grow_regions, local_planes


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
