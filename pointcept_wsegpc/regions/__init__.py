"""Unsupervised partitions of a cloud or a view into regions. N points, R regions.

A region is a set of points that likely belong to one object part: its points vote together for a
class (Eq. 2-3). Regions are ids from 0 to R - 1 without gaps; -1 = unassigned.
"""

from __future__ import annotations

import numpy as np

from . import cgal, files, graph, growing, oracle, supervoxel  # noqa: F401, they register
from .cloud import Cloud, fill_unassigned
from .depth_view import DEPTH_NOISE, DepthView
from .registry import PARTITIONS, Partition
from .supervoxel import planes  # noqa: F401, it registers

__all__ = [
    "PARTITIONS",
    "Partition",
    "fill_unassigned",
    "partition",
    "partition_view",
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

    coord (N,3) in meters; normal (N,3) of any sign and length, estimated where it is missing (None,
    zero, NaN); color (N,3), uint8 or floats in 0..1 or 0..255, for methods that look at it. A point
    with a NaN or infinite coordinate stays -1; points at one place share their region, and count
    once. The settings are the method's own, on top of those of a preset, and the arrays that it
    takes (see PARTITIONS). fill: give unassigned points the region of the nearest assigned one.
    The same input gives the same regions. Raises ValueError for a wrong shape, method or setting.
    """
    plan, more = _resolve(method, preset, fill, settings)
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
    cloud = Cloud(coord, **arrays, **more)
    region, _ = plan(cloud)
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

    depth (H,W): z-depth in meters; 0, negative or not finite = invalid, stays -1. intrinsic (3,3)
    at this resolution; color (H,W,3) as in `partition`. The neighbours of a pixel are those of the
    image. depth_noise: standard deviation of depth per squared meter of it (0.0015 / m is a
    structured-light sensor's). The rest is that of `partition`.
    """
    plan, more = _resolve(method, preset, fill, settings)
    view = DepthView(depth, intrinsic, color, depth_noise, **more)
    view.check_unit()
    return plan(view)[0]


def _resolve(method, preset, fill, settings):
    """The Partition, and those of the keywords that are arrays it takes."""
    entry = PARTITIONS.get(method)
    arrays = {k: v for k, v in settings.items() if k in entry.arrays and v is not None}
    given = {k: v for k, v in settings.items() if k not in entry.arrays}
    return entry.resolve(preset, given, fill), arrays
