"""Unsupervised partitions of a cloud or a view into regions. N points, R regions.

A region is a set of points that likely belong to one object part: its points vote together for a
class (Eq. 2-3). Regions are ids from 0 to R - 1 without gaps; -1 = unassigned.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from pointcept_wsegpc.regions.growing import partition_growing
from pointcept_wsegpc.regions.views import partition_view

__all__ = ["METHODS", "fill_unassigned", "partition", "partition_view"]

METHODS = {"growing": partition_growing}


def partition(
    coord: np.ndarray,
    normal: np.ndarray | None = None,
    color: np.ndarray | None = None,
    method: str = "growing",
    **settings,
) -> np.ndarray:
    """Partition a cloud into regions: (N,) int32, contiguous from 0, -1 = unassigned.

    coord (N,3) in metres, normal (N,3) of any sign and length, or None: estimated from coord;
    color (N,3), or None, for methods that look at it. A point with a NaN or infinite coordinate
    or normal stays -1. The settings are the method's own (see METHODS). The same input gives the
    same regions, always. Raises ValueError for a wrong shape or an unknown method.
    """
    if method not in METHODS:
        known = ", ".join(sorted(METHODS))
        raise ValueError(f"unknown partition method {method!r}; known: {known}")
    coord = np.asarray(coord)
    if coord.ndim != 2 or coord.shape[1] != 3:
        raise ValueError(f"coord has shape {coord.shape}; expected (N, 3)")
    arrays = {"normal": normal, "color": color}
    for name, array in arrays.items():
        if array is None:
            continue
        arrays[name] = np.asarray(array)
        if arrays[name].shape != coord.shape:
            raise ValueError(f"{name} has shape {arrays[name].shape}; coord has {coord.shape}")
    return METHODS[method](coord, **arrays, **settings)


def fill_unassigned(coord: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Give every unassigned point the region of its nearest assigned one, as WyPR does.

    coord (N,3) in metres, region (N,), -1 = unassigned. Returns a new (N,) int32. Points with a
    NaN or infinite coordinate have no neighbours and stay as they are; so do all if no point has
    a region.
    """
    coord, region = np.asarray(coord), np.asarray(region)
    if region.shape != (len(coord),):
        raise ValueError(f"region has shape {region.shape}; coord has {len(coord)} points")
    filled = region.astype(np.int32)
    finite = np.isfinite(coord).all(axis=1)
    assigned = np.flatnonzero(finite & (region >= 0))
    missing = np.flatnonzero(finite & (region < 0))
    if len(assigned) and len(missing):
        _, nearest = cKDTree(coord[assigned]).query(coord[missing])
        filled[missing] = filled[assigned[nearest]]
    return filled
