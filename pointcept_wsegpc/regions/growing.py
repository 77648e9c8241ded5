"""Region growing: planar regions, without any label.

After Lafarge & Mallet, "Creating Large-Scale City Models from 3D-Point Clouds", IJCV 2012, the
algorithm that CGAL's Shape_detection offers too. M rows of a Cloud or a DepthView.
"""

from __future__ import annotations

import math

import numpy as np

from .kernels import grow_regions


def flattest_first(unevenness: np.ndarray) -> np.ndarray:
    """Order of the seeds by unevenness (M,), a share of the tolerance; equal ones go by row.

    What differs by rounding alone counts as equal, so that exact planes have the same order
    everywhere. One sort of integers, unevenness above row, takes a fifth of a stable argsort.
    """
    levels = np.minimum(unevenness * 1e7, 2**31 - 1).round().astype(np.int64)
    order = np.sort(levels << 32 | np.arange(len(levels)))
    return order & (2**32 - 1)


def check_settings(
    max_distance: float, max_angle: float, min_size: int, neighbours: int = 3
) -> None:
    """Raise ValueError for a setting out of range."""
    if not 0 < max_distance < math.inf:
        raise ValueError(f"max_distance is {max_distance}; give a length above 0, in metres")
    if not 0 < max_angle <= 90:
        raise ValueError(f"max_angle is {max_angle}; give an angle above 0, up to 90 degrees")
    if min_size < 1:
        raise ValueError(f"min_size is {min_size}; give a number of points, at least 1")
    if neighbours < 3:
        raise ValueError(f"neighbours is {neighbours}; a plane needs at least 3")


def partition_growing(
    cloud,
    *,
    neighbours: int = 12,
    max_distance: float | None = None,
    max_angle: float = 20.0,
    min_size: int | None = None,
) -> np.ndarray:
    """Planar regions (M,) of a Cloud or a DepthView, grown from its flattest places.

    Seeds are taken from the flattest place on (`local_planes`). A point joins if it is within
    max_distance metres of the region's plane and its normal within max_angle degrees of the
    plane's. It is reached through a member that has it among its nearest neighbours, so lone points
    may stay out. Regions below min_size points are given up. None: the cloud or view decides.
    The neighbours of a pixel are the eight around it.
    """
    max_distance = cloud.max_distance if max_distance is None else max_distance
    min_size = cloud.min_size if min_size is None else min_size
    check_settings(max_distance, max_angle, min_size, neighbours)
    normal, unevenness = cloud.planes(neighbours)
    table = cloud.neighbours(neighbours)
    tolerance = cloud.tolerance(max_distance)
    return grow_regions(
        cloud.coord,
        normal,
        table,
        flattest_first(unevenness / tolerance),
        tolerance,
        math.cos(math.radians(max_angle)),
        min_size,
    )
