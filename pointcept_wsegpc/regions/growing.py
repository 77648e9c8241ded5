"""Region growing: planar regions, without any label.

After Lafarge & Mallet, "Creating Large-Scale City Models from 3D-Point Clouds", IJCV 2012, the
algorithm that CGAL's Shape_detection offers too. M rows of a Cloud or a DepthView.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .cloud import Cloud
from .depth_view import DepthView
from .kernels import grow_regions
from .registry import PARTITIONS


def flattest_first(unevenness: np.ndarray) -> np.ndarray:
    """Order of the seeds by unevenness (M,), a share of the tolerance; equal ones go by row.

    What differs by rounding alone counts as equal, so that exact planes have the same order
    everywhere. One sort of integers, unevenness above row, takes a fifth of a stable argsort.
    """
    levels = np.minimum(unevenness * 1e7, 2**31 - 1).round().astype(np.int64)
    order = np.sort(levels << 32 | np.arange(len(levels)))
    return order & (2**32 - 1)


@dataclass(frozen=True)
class GrowingSettings:
    """Settings of region growing; ValueError for one out of range. None: the cloud decides."""

    neighbours: int = 12  # of a point; of a pixel they are the eight around it
    max_distance: float | None = None  # meters from the region's plane
    max_angle: float = 20.0  # degrees from the plane's normal
    min_size: int | None = None  # points; smaller regions are given up

    def __post_init__(self):
        check_growth(self.max_distance, self.max_angle)
        check_min_size(self.min_size)
        if self.neighbours < 3:
            raise ValueError(f"neighbours is {self.neighbours}; a plane needs at least 3")


def check_growth(max_distance: float | None, max_angle: float) -> None:
    """Raise ValueError for a bound that no plane can grow with."""
    if max_distance is not None and not 0 < max_distance < math.inf:
        raise ValueError(f"max_distance is {max_distance}; give a length above 0, in meters")
    if not 0 < max_angle <= 90:
        raise ValueError(f"max_angle is {max_angle}; give an angle above 0, up to 90 degrees")


def check_min_size(min_size: int | None) -> None:
    """Raise ValueError for fewer points than a region has."""
    if min_size is not None and min_size < 1:
        raise ValueError(f"min_size is {min_size}; give a number of points, at least 1")


def derived(cloud: Cloud | DepthView, settings: Any) -> dict[str, float]:
    """max_distance and min_size of a cloud or view, where the settings leave them to it."""
    open_ = [k for k in ("max_distance", "min_size") if getattr(settings, k) is None]
    return {name: getattr(cloud, name) for name in open_}


@PARTITIONS.register(
    "growing",
    settings=GrowingSettings,
    presets={
        "indoor": {},
        "outdoor": {"max_distance": 0.3, "max_angle": 30.0, "min_size": 10, "fill": True},
        # WyPR (Ren et al., CVPR 2021): a distance that never binds indoors, then filled.
        "wypr": {
            "neighbours": 12,
            "max_distance": 2.0,
            "max_angle": 20.0,
            "min_size": 50,
            "fill": True,
        },
    },
    derived=derived,
    coarser=("max_distance", "max_angle"),
    on_cloud=True,
)
def partition_growing(cloud: Cloud | DepthView, settings: GrowingSettings) -> np.ndarray:
    """Planar regions, grown from the flattest places of a cloud or view.

    Seeds are taken from the flattest place on (`local_planes`). A point joins if it is within
    max_distance meters of the region's plane and its normal within max_angle degrees of the
    plane's. It is reached through a member that has it among its nearest neighbours, so lone points
    may stay out. Regions below min_size points are given up. Returns (M,).
    """
    normal, unevenness = cloud.planes(settings.neighbours)
    table = cloud.neighbours(settings.neighbours)
    tolerance = cloud.tolerance(settings.max_distance)
    return grow_regions(
        cloud.coord,
        normal,
        table,
        flattest_first(unevenness / tolerance),
        tolerance,
        math.cos(math.radians(settings.max_angle)),
        settings.min_size,
    )
