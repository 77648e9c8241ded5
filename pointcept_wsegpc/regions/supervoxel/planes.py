"""Planes grown from supervoxels; clutter keeps its supervoxels. S supervoxels, R regions.

Region growing (growing.py) with supervoxels in the place of points: a plane is the least-squares
plane of all points of its supervoxels, and a supervoxel is judged by all of its points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from ...clouds.planes import fit_plane
from ..cloud import Cloud
from ..depth_view import DepthView
from ..growing import check_growth, flattest_first
from ..growing import derived as of_growing
from ..registry import PARTITIONS
from . import SupervoxelSettings, supervoxels
from . import derived as of_supervoxels
from .elements import elements_of
from .kernels import mean_features, sums

RMS_SHARE = 1 / 3  # RMS distance of points of which nearly all are within the distance: 3 sigma
MIN_POINTS = 10  # of a supervoxel that a plane may start from; fewer determine none well
REFIT_GROWTH = 1.1  # the plane is fitted anew each time it has this many times the points


@njit(cache=True)
def thicknesses(moments):
    """RMS distance (S,) of the points of every supervoxel to their plane."""
    thickness = np.empty(len(moments))
    for s in range(len(moments)):
        thickness[s] = fit_plane(moments[s])[6]
    return thickness


@njit(cache=True)
def square_distance(moments, s, x, y, z, offset):
    """Mean squared distance of the points of a supervoxel to the plane (x, y, z) . p = offset."""
    first = x * moments[s, 1] + y * moments[s, 2] + z * moments[s, 3]
    second = (
        x * (x * moments[s, 4] + 2.0 * (y * moments[s, 5] + z * moments[s, 6]))
        + y * (y * moments[s, 7] + 2.0 * z * moments[s, 8])
        + z * z * moments[s, 9]
    )
    return (second - 2.0 * offset * first) / moments[s, 0] + offset * offset


@njit(cache=True)
def grow_planes(moments, normal, start, adjacent, order, tolerance, min_cos):
    """Region (S,) int32 of every supervoxel, contiguous from 0 in the order found.

    moments (S,10): sums over the points of 1, x, y, z, xx, xy, xz, yy, yz, zz; normal (S,3) unit,
    any sign. adjacent[start[s]:start[s + 1]] are next to s. order: all supervoxels, in the order
    in which they are tried as seeds. tolerance (S,): largest RMS distance in meters of the points
    of a supervoxel to the plane that takes it; min_cos: least |cosine| of the two normals.
    """
    region = np.full(len(normal), np.int32(-1), np.int32)
    queue = np.empty(len(normal), np.int32)
    count = 0
    for seed in order:
        if region[seed] >= 0:
            continue
        region[seed], queue[0], head, size = count, seed, 0, 1
        total = moments[seed].copy()
        refit = total[0] * REFIT_GROWTH
        cx, cy, cz, x, y, z, rms, _ = fit_plane(total)
        offset = x * cx + y * cy + z * cz
        starts = total[0] >= MIN_POINTS and rms <= tolerance[seed]
        while starts and head < size:
            i = queue[head]
            head += 1
            for a in range(start[i], start[i + 1]):
                j = adjacent[a]
                if region[j] >= 0:
                    continue
                cosine = abs(normal[j, 0] * x + normal[j, 1] * y + normal[j, 2] * z)
                if not cosine >= min_cos:
                    continue
                if not square_distance(moments, j, x, y, z, offset) <= tolerance[j] ** 2:
                    continue
                region[j], queue[size] = count, j
                size += 1
                total += moments[j]
                if total[0] >= refit:
                    refit = total[0] * REFIT_GROWTH
                    cx, cy, cz, x, y, z, _, _ = fit_plane(total)
                    offset = x * cx + y * cy + z * cz
        count += 1
    return region


@dataclass(frozen=True)
class SupervoxelGrowingSettings(SupervoxelSettings):
    """Those of supervoxels and of planes grown from them; ValueError for one out of range."""

    max_distance: float | None = None  # meters from the region's plane; None: the cloud decides
    max_angle: float = 20.0  # degrees from the plane's normal

    def __post_init__(self):
        super().__post_init__()
        check_growth(self.max_distance, self.max_angle)


def derived(cloud: Cloud | DepthView, settings: SupervoxelGrowingSettings) -> dict[str, float]:
    """What a cloud or view decides of supervoxels and of growing."""
    return {**of_supervoxels(cloud, settings), **of_growing(cloud, settings)}


@PARTITIONS.register(
    "supervoxel+growing",
    settings=SupervoxelGrowingSettings,
    derived=derived,
    coarser=("seed_spacing", "max_distance"),
    on_cloud=True,
)
def partition_supervoxel_growing(
    cloud: Cloud | DepthView, settings: SupervoxelGrowingSettings
) -> np.ndarray:
    """Planes grown from the supervoxels of a cloud or view; clutter keeps its supervoxels.

    Planes start from supervoxels of MIN_POINTS or more, the flattest first, by the standard error
    of its plane: RMS distance of its points by the square root of their number. A supervoxel that
    is next to a member joins if the RMS distance of its points to the plane is at most a third of
    max_distance, so that nearly all are within it, and its mean normal within max_angle degrees of
    the plane's. What grows into no plane stays a region of its own. Returns (M,).
    """
    if len(cloud) == 0:
        return np.empty(0, np.int32)
    elements = elements_of(cloud, settings)
    owner = supervoxels(elements, settings)
    count = int(owner.max()) + 1
    group = owner[elements.index]
    moments = moments_of(cloud.coord - cloud.coord.mean(axis=0), group, count)
    allowed = cloud.tolerance(settings.max_distance)
    tolerance = sums(group, allowed[:, None], count)[:, 0] / moments[:, 0] * RMS_SHARE
    error = thicknesses(moments) / (tolerance * np.sqrt(moments[:, 0]))
    region = grow_planes(
        moments,
        mean_features(elements.feature, owner, count)[:, 6:],
        *adjacency(elements.table, owner, count),
        flattest_first(np.where(moments[:, 0] < MIN_POINTS, np.inf, error)),
        tolerance,
        math.cos(math.radians(settings.max_angle)),
    )
    return np.append(region, np.int32(-1))[group]


def moments_of(coord, group, count):
    """Moments (count,10) of the points (M,3) of every group (M,), in the order of `grow_planes`."""
    x, y, z = coord.T
    products = (np.ones_like(x), x, y, z, x * x, x * y, x * z, y * y, y * z, z * z)
    return sums(group, np.stack(products, axis=1), count)


def adjacency(table, owner, count):
    """Which supervoxels have elements next to each other: those next to s are, ascending,
    adjacent[start[s]:start[s + 1]]. Returns start (count + 1,) and adjacent.
    """
    i, column = np.nonzero(table >= 0)
    a, b = owner[i].astype(np.int64), owner[table[i, column]]
    border = (a != b) & (a >= 0) & (b >= 0)
    a, b = np.divmod(np.unique(a[border] * count + b[border]), count)
    return np.searchsorted(a, np.arange(count + 1)), b
