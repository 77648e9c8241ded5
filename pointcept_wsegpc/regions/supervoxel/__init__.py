"""Supervoxels: small patches of like colour and direction that end where surfaces do.

After Papon et al., "Voxel Cloud Connectivity Segmentation - Supervoxels for Point Clouds", CVPR
2013. M rows of a Cloud or a DepthView, E elements of it (voxels or pixels), S supervoxels.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .elements import elements_of, grid_keys
from .kernels import FIXED, FREE, connected, flow, mean_features, nearest_members, place_seeds

SEED_SHARE = 0.05  # of a flat disc around a seed that elements must fill
MOST_ROUNDS = 1000  # little changes after the first few
CELL_SHIFT = 1 / 16  # where the grid of seeds starts, in cells: no lattice has points on faces


def partition_supervoxel(
    cloud,
    *,
    voxel_size: float | None = None,
    seed_spacing: float | None = None,
    color_weight: float = 1.0,
    distance_weight: float = 0.1,
    normal_weight: float = 1.0,
    rounds: int = 5,
    min_size: int = 4,
) -> np.ndarray:
    """Supervoxels (M,) of a Cloud or a DepthView.

    A cloud is made into voxels of voxel_size metres, which are next to each other where they share
    a face, an edge or a corner; of a view, pixels are, unless a depth edge lies between. Seeds are
    seed_spacing metres apart (None: a few voxels or pixels), farther where pixels are sparse. In
    each of the rounds supervoxels spread from their seeds to what is next to them, and an element
    goes to the nearest of those that reach it, by the root of
        color_weight dE^2 + distance_weight (d / seed spacing)^2 + normal_weight (1 - |cos|)^2,
    where dE is the CIELAB difference in hundreds, 0 without colours, d the distance in metres, and
    cos between the normals. Only the ratios of the weights matter.

    Supervoxels are connected and cross no gap. Fewer than min_size points that are connected to no
    others are -1. A connected part without a seed, which needs some elements around it, is one
    supervoxel.
    """
    check_settings(voxel_size, seed_spacing, rounds, min_size)
    weights = check_weights(color_weight, distance_weight, normal_weight)
    if len(cloud) == 0:
        return np.empty(0, np.int32)
    elements = elements_of(cloud, voxel_size, seed_spacing)
    return supervoxels(elements, weights, rounds, min_size)[elements.index]


def check_settings(voxel_size, seed_spacing, rounds, min_size):
    for name, length in {"voxel_size": voxel_size, "seed_spacing": seed_spacing}.items():
        if length is not None and not 0 < length < math.inf:
            raise ValueError(f"{name} is {length}; give a length above 0, in metres")
    if not 1 <= rounds <= MOST_ROUNDS:
        raise ValueError(f"rounds is {rounds}; give 1 to {MOST_ROUNDS}")
    if min_size < 1:
        raise ValueError(f"min_size is {min_size}; give a number of points, at least 1")


def check_weights(color_weight, distance_weight, normal_weight):
    """The weights by name, made to sum to 1."""
    weights = {"color": color_weight, "distance": distance_weight, "normal": normal_weight}
    for name, weight in weights.items():
        if not 0 <= weight < math.inf:
            raise ValueError(f"{name}_weight is {weight}; give a weight of at least 0")
    if not any(weights.values()):
        raise ValueError("color_weight, distance_weight and normal_weight are all 0; raise one")
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def supervoxels(elements, weights, rounds, min_size):
    """Supervoxel (E,) int32 of every element, contiguous from 0; -1 = none."""
    feature, table, spacing, pitch = elements[:4]
    color, normal = weights["color"], weights["normal"]
    part = components(table)
    stray = (np.bincount(part, elements.size) < min_size)[part]
    with np.errstate(over="ignore"):  # inf: more than there are
        needed = np.ceil(SEED_SHARE * math.pi * (0.5 * spacing / pitch) ** 2)
    seed = seeds_of_cells(feature[:, :3], spacing)
    seed = place_seeds(seed[~stray[seed]], needed, feature, table, spacing, color, normal)
    seed = np.unique(seed)  # two may have moved to one element
    space = math.sqrt(weights["distance"]) / spacing[seed]
    owner = cluster(feature, table, seed, space, color, normal, rounds)
    left = (owner < 0) & ~stray  # whole parts, since a seed is spread over all of its part
    owner[left] = len(seed) + np.unique(part[left], return_inverse=True)[1]
    return owner


def cluster(feature, table, seed, space, color, normal, rounds):
    """Supervoxel (E,) int32 of every element; -1 where the table leads to no seed.

    seed (S,) elements, all different; space (S,), color, normal: as in `squared_distance`. A round
    starts from the seeds alone, which stay with their supervoxel; then centers become the mean of
    what was taken, and seeds move to the member nearest to it. After the last one, what another
    supervoxel has cut off from the seed goes to one that is next to it.
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
    joined = connected(owner, table, seed)
    owner[~joined], best[~joined], best[joined] = -1, FREE, FIXED
    flow(owner, best, feature, table, center, space, color, normal, True)
    return owner


def seeds_of_cells(coord, spacing):
    """Of every occupied cell of a grid of a given spacing (E,), the element nearest to its middle.

    coord (E,3). Elements of different spacing have cells of their own.
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


@njit(cache=True)
def components(table):
    """Number (E,) of the connected part of the table that every element is in, from 0."""
    part = np.full(len(table), np.int32(-1), np.int32)
    queue = np.empty(len(table), np.int32)
    count = 0
    for i in range(len(table)):
        if part[i] >= 0:
            continue
        part[i], queue[0], head, size = count, i, 0, 1
        while head < size:
            for j in table[queue[head]]:
                if j >= 0 and part[j] < 0:
                    part[j], queue[size] = count, j
                    size += 1
            head += 1
        count += 1
    return part
