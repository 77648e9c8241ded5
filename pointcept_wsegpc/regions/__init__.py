"""Unsupervised partitions of a cloud or a view into regions. N points, R regions.

A region is a set of points that likely belong to one object part: its points vote together for a
class (Eq. 2-3). Regions are ids from 0 to R - 1 without gaps; -1 = unassigned.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ..clouds.clean import is_finite
from .cloud import Cloud
from .depth_view import DEPTH_NOISE, DepthView
from .methods import METHODS, PRESETS, check_complete, resolve, settings_of

__all__ = [
    "METHODS",
    "PRESETS",
    "apply",
    "fill_unassigned",
    "partition",
    "partition_view",
    "resolve",
    "settings_of",
]


def partition(
    coord: np.ndarray,
    normal: np.ndarray | None = None,
    color: np.ndarray | None = None,
    method: str = "growing",
    *,
    preset: str | None = None,
    fill: bool | None = None,
    **settings,
) -> np.ndarray:
    """Partition a cloud into regions: (N,) int32, contiguous from 0, -1 = unassigned.

    coord (N,3) in metres; normal (N,3) of any sign and length, estimated where it is missing (None,
    zero, NaN); color (N,3), uint8 or floats in 0..1 or 0..255, for methods that look at it. A point
    with a NaN or infinite coordinate stays -1; points at one place share their region, and count
    once. The settings are the method's own (see METHODS), on top of those of a preset (see
    PRESETS). fill: give unassigned points the region of the nearest assigned one. The same input
    gives the same regions, always. Raises ValueError for a wrong shape, method or setting.
    """
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
    cloud = Cloud(coord, **arrays)
    region = apply(cloud, method, preset, settings, fill)
    cloud.check_unit()  # afterwards: the neighbours are known by then
    return region


def partition_view(
    depth: np.ndarray,
    intrinsic: np.ndarray,
    color: np.ndarray | None = None,
    method: str = "growing",
    *,
    preset: str | None = None,
    fill: bool | None = None,
    depth_noise: float = DEPTH_NOISE,
    **settings,
) -> np.ndarray:
    """Partition a view into regions: (H,W) int32, contiguous from 0, -1 = none.

    depth (H,W): z-depth in metres; 0, negative or not finite = invalid, stays -1. intrinsic (3,3)
    at this resolution; color (H,W,3) as in `partition`. The neighbours of a pixel are those of the
    image. depth_noise: standard deviation of depth per squared metre of it (0.0015 / m is a
    structured-light sensor's). The rest is that of `partition`.
    """
    view = DepthView(depth, intrinsic, color, depth_noise)
    view.check_unit()
    return apply(view, method, preset, settings, fill)


def apply(cloud, method, preset=None, settings=None, fill=None):
    """Region of all N points of a Cloud, (N,), or all pixels of a DepthView, (H,W), int32.

    method, preset, fill: as in `partition`; settings: a dict. Raises ValueError for wrong ones.
    """
    function, settings, filled = resolve(method, preset, settings or {})
    check_complete(method, settings)
    if fill not in (None, True, False):
        raise ValueError(f"fill is {fill!r}; give True, False or None")
    region = function(cloud, **settings)
    if filled if fill is None else fill:
        region = fill_unassigned(cloud.coord, region)
    return cloud.spread(region)


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
    finite = is_finite(coord)
    assigned = np.flatnonzero(finite & (region >= 0))
    missing = np.flatnonzero(finite & (region < 0))
    if len(assigned) and len(missing):
        _, nearest = cKDTree(coord[assigned]).query(coord[missing])
        filled[missing] = filled[assigned[nearest]]
    return filled
