"""Supervoxels: small patches of like color and direction that end where surfaces do.

After Papon et al., "Voxel Cloud Connectivity Segmentation - Supervoxels for Point Clouds", CVPR
2013. M rows of a Cloud or a DepthView, E elements of it (voxels or pixels), S supervoxels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..cloud import Cloud
from ..depth_view import DepthView
from ..growing import check_min_size
from ..registry import PARTITIONS
from .elements import SEED_VOXELS, VOXEL_SPACINGS, elements_of, grid_keys
from .kernels import FIXED, FREE, components, flow, mean_features, nearest_members, place_seeds

SEED_SHARE = 0.05  # of a flat disc around a seed that elements must fill
MAX_ROUNDS = 1000  # little changes after the first few
CELL_SHIFT = 1 / 16  # where the grid of seeds starts, in cells: no lattice has points on faces


@dataclass(frozen=True)
class SupervoxelSettings:
    """Settings of supervoxels; ValueError for one out of range. None: by the spacing of points."""

    voxel_size: float | None = None  # meters; a view has pixels instead
    seed_spacing: float | None = None  # meters between seeds
    color_weight: float = 1.0
    distance_weight: float = 0.1
    normal_weight: float = 1.0  # only the ratios of the weights matter
    rounds: int = 5
    min_size: int = 4  # points; smaller parts that touch no others are unassigned

    def __post_init__(self):
        check_min_size(self.min_size)
        for name in ("voxel_size", "seed_spacing"):
            length = getattr(self, name)
            if length is not None and not 0 < length < math.inf:
                raise ValueError(f"{name} is {length}; give a length above 0, in meters")
        if None not in (self.voxel_size, self.seed_spacing) and self.seed_spacing < self.voxel_size:
            raise ValueError(
                f"seed_spacing is {self.seed_spacing}, less than the voxel_size of "
                f"{self.voxel_size}; raise it"
            )
        if not 1 <= self.rounds <= MAX_ROUNDS:
            raise ValueError(f"rounds is {self.rounds}; give 1 to {MAX_ROUNDS}")
        for name in ("color", "distance", "normal"):
            weight = getattr(self, f"{name}_weight")
            if not 0 <= weight < math.inf:
                raise ValueError(f"{name}_weight is {weight}; give a weight of at least 0")
        if not self.color_weight + self.distance_weight + self.normal_weight:
            raise ValueError("color_weight, distance_weight and normal_weight are all 0; raise one")

    @property
    def weights(self) -> np.ndarray:
        """Weights of color, distance and normal (3,), made to sum to 1."""
        weights = np.array([self.color_weight, self.distance_weight, self.normal_weight])
        return weights / weights.sum()


def derived(cloud: Cloud | DepthView, settings: SupervoxelSettings) -> dict[str, float]:
    """Lengths from the spacing of a cloud, where none are set; in a view they vary by pixel."""
    if isinstance(cloud, DepthView):
        return {}
    values, voxel_size = {}, settings.voxel_size
    if voxel_size is None:
        voxel_size = VOXEL_SPACINGS * cloud.spacing or 1.0  # 1.0: there is one point
        values["voxel_size"] = voxel_size
    if settings.seed_spacing is None:
        values["seed_spacing"] = SEED_VOXELS * voxel_size
    return values


@PARTITIONS.register(
    "supervoxel",
    settings=SupervoxelSettings,
    derived=derived,
    coarser=("seed_spacing",),
    on_cloud=True,
)
def partition_supervoxel(cloud: Cloud | DepthView, settings: SupervoxelSettings) -> np.ndarray:
    """Supervoxels of a cloud or view: small patches of like color and direction.

    The elements of a cloud are voxels with an edge of voxel_size meters, adjacent where they share
    a face, an edge or a corner; those of a view are its pixels, adjacent unless a depth edge lies
    between them. Seeds are seed_spacing meters apart (None: a few voxels or pixels), farther where
    pixels are sparse. In each round supervoxels spread from their seeds to adjacent elements, and
    an element joins the nearest of those that reach it, by the root of
        color_weight dE^2 + distance_weight (d / seed spacing)^2 + normal_weight (1 - |cos|)^2,
    where dE is the CIELAB difference / 100 (0 without colors), d the distance in meters, and cos
    the cosine between the normals.

    Supervoxels are connected and do not cross gaps. Connected parts of fewer than min_size points
    are -1. A larger part without a seed (a seed needs some elements around it) is one supervoxel.
    Returns (M,).
    """
    if len(cloud) == 0:
        return np.empty(0, np.int32)
    elements = elements_of(cloud, settings)
    return supervoxels(elements, settings)[elements.index]


def supervoxels(elements, settings):
    """Supervoxel (E,) int32 of every element, contiguous from 0; -1 = none."""
    feature, table, spacing, pitch = elements[:4]
    color, distance, normal = settings.weights
    part = components(table, np.zeros(len(table), np.int32))
    stray = (np.bincount(part, elements.size) < settings.min_size)[part]
    with np.errstate(over="ignore"):  # inf: more than there are
        needed = np.ceil(SEED_SHARE * math.pi * (0.5 * spacing / pitch) ** 2)
    seed = seeds_of_cells(feature[:, :3], spacing)
    seed = place_seeds(seed[~stray[seed]], needed, feature, table, spacing, color, normal)
    seed = np.unique(seed)  # two may have moved to one element
    space = math.sqrt(distance) / spacing[seed]
    owner = cluster(feature, table, seed, space, color, normal, settings.rounds)
    left = (owner < 0) & ~stray  # whole parts, since a seed is spread over all of its part
    owner[left] = len(seed) + np.unique(part[left], return_inverse=True)[1]
    return owner


def cluster(feature, table, seed, space, color, normal, rounds):
    """Supervoxel (E,) int32 of every element; -1 where the table leads to no seed.

    seed (S,) elements, all different; space (S,), color, normal: as in `squared_distance`. Each
    round starts from the seeds alone, which keep their supervoxel; then the centers become the
    means of the members, and each seed moves to the member nearest to its center. After the last
    round, elements that another supervoxel has cut off from their seed go to an adjacent one.
    """
    number = np.arange(len(seed), dtype=np.int32)
    center, owner = feature[seed], None
    for _ in range(rounds):
        if owner is not None:
            center = mean_features(feature, owner, len(seed))
            seed = nearest_members(owner, feature, center, space)
        owner = np.full(len(table), -1, np.int32)
        best = np.full(len(table), FREE)
        owner[seed], best[seed] = number, FIXED
        flow(owner, best, feature, table, center, space, color, normal, False)
    part = components(table, owner)
    joined = np.isin(part, part[seed])
    owner[~joined], best[~joined], best[joined] = -1, FREE, FIXED
    flow(owner, best, feature, table, center, space, color, normal, True)
    return owner


def seeds_of_cells(coord, spacing):
    """The element nearest to the center of each occupied cell of a grid with spacing (E,).

    coord (E,3). Elements of different spacing do not share cells.
    """
    position = (coord - coord.min(axis=0)) / spacing[:, None] + CELL_SHIFT
    cell = np.floor(position)
    key = grid_keys(position)[0]
    if spacing.min() < spacing.max():
        sizes, level = np.unique(spacing, return_inverse=True)
        key = key * len(sizes) + level
    off = np.rint(((position - cell - 0.5) ** 2).sum(axis=1) * 1e7)  # rounding makes no difference
    order = np.lexsort((off, key))
    return order[np.flatnonzero(np.diff(key[order], prepend=-1))]
