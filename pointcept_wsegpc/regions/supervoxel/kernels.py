"""The compiled core of supervoxels. E elements (voxels or pixels), S supervoxels.

An element has a feature (E,9): coordinates in meters, color, and a unit normal of any sign, 0 =
none. Its neighbours are listed in a table (E,K) int32, itself first, -1 = none; the relation is
symmetric. Distances are integers, so that a difference by rounding alone is a tie; ties go to the
lower index.

Functions that call each other share this file: numba's cache misses changes in another.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from scipy.sparse import csc_matrix

from ...clouds.planes import MOMENTS, fit_plane

STEPS = 2.0**32  # integer distances: steps per 1
MAX_SQUARED = 2.0**62 / STEPS
FREE = np.iinfo(np.int64).max  # distance of an element that has no supervoxel yet
FIXED = -1  # and of one that no other supervoxel can take


@njit(cache=True)
def principal_axes(scatter):
    """Eigenvectors (S,3) of length 1 to the largest eigenvalues of symmetric matrices with none
    below 0, given as (S,6) xx, xy, xz, yy, yz, zz; 0 where no direction prevails.

    That is the normal of the plane through points that vary least along it.
    """
    axis = np.empty((len(scatter), 3))
    moments = np.zeros(MOMENTS)
    moments[0] = 3.0  # the fewest that have a plane
    for s in range(len(scatter)):
        moments[4:] = -3.0 * scatter[s]
        trace = 3.0 * (scatter[s, 0] + scatter[s, 3] + scatter[s, 5])
        moments[4] += trace
        moments[7] += trace
        moments[9] += trace
        axis[s] = fit_plane(moments)[3:6]
    return axis


def mean_features(feature: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    """Mean features (count,9) of the groups (E,) that rows belong to; -1 = none.

    The mean of normals of arbitrary sign is the principal axis of the sum of n n^T: the direction
    that the squared cosines to them are largest for.
    """
    products = feature[:, [6, 6, 6, 7, 7, 8]] * feature[:, [6, 7, 8, 7, 8, 8]]
    ones = np.ones((len(feature), 1))
    total = sums(group, np.hstack([ones, feature[:, :6], products]), count)
    return np.hstack([total[:, 1:7] / total[:, :1], principal_axes(total[:, 7:] / total[:, :1])])


def sums(group: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Sums (count,K) of the values (M,K) of every group (M,); -1 = none."""
    grouped = group >= 0
    start = np.concatenate([[0], np.cumsum(grouped)])
    members = np.ones(start[-1]), group[grouped], start
    return csc_matrix(members, shape=(count, len(group))) @ values


@njit(cache=True)
def squared_distance(a, i, b, j, space, color, normal):
    """Weighted squared distance of two features, a[i] and b[j], as an integer of STEPS per 1.

    space: per meter, to be squared; color, normal: weights of squares.
    """
    x = space * (a[i, 0] - b[j, 0])
    y = space * (a[i, 1] - b[j, 1])
    z = space * (a[i, 2] - b[j, 2])
    p, q, r = a[i, 3] - b[j, 3], a[i, 4] - b[j, 4], a[i, 5] - b[j, 5]
    bend = 1.0 - abs(a[i, 6] * b[j, 6] + a[i, 7] * b[j, 7] + a[i, 8] * b[j, 8])
    total = x * x + y * y + z * z + color * (p * p + q * q + r * r) + normal * bend * bend
    if not total < MAX_SQUARED:
        total = MAX_SQUARED
    return np.int64(math.floor(total * STEPS + 0.5))


@njit(cache=True)
def gradient(i, feature, table, color, normal):
    """Mean squared distance in color and normal from an element to its neighbours."""
    total, count = 0, 0
    for k in range(1, table.shape[1]):
        if table[i, k] >= 0:
            total += squared_distance(feature, i, feature, table[i, k], 0.0, color, normal)
            count += 1
    return total // max(count, 1)


@njit(cache=True)
def place_seeds(seed, needed, feature, table, spacing, color, normal):
    """The seeds that are kept (S,), each moved to the lowest gradient among its table entries.

    seed (S,) elements. One is kept if at least needed[seed] elements, itself included, are
    connected to it within half of its spacing.
    """
    reached = np.full(len(table), -1, np.int32)
    queue = np.empty(len(table), np.int32)
    kept = 0
    placed = np.empty(len(seed), np.int64)
    for s in range(len(seed)):
        start = seed[s]
        limit = (0.5 * spacing[start]) ** 2
        queue[0], head, size = start, 0, 1
        reached[start] = s
        while head < size < needed[start]:
            for j in table[queue[head]]:
                if j < 0 or reached[j] == s:
                    continue
                reached[j] = s
                x = feature[j, 0] - feature[start, 0]
                y = feature[j, 1] - feature[start, 1]
                z = feature[j, 2] - feature[start, 2]
                if x * x + y * y + z * z <= limit:
                    queue[size] = j
                    size += 1
            head += 1
        if size < needed[start]:
            continue
        best, lowest = start, gradient(start, feature, table, color, normal)
        for j in table[start]:
            if j < 0 or j == start:
                continue
            value = gradient(j, feature, table, color, normal)
            if value < lowest or (value == lowest and best != start and j < best):
                best, lowest = j, value
        placed[kept] = best
        kept += 1
    return placed[:kept]


@njit(cache=True)
def flow(owner, best, feature, table, center, space, color, normal, fix):
    """Let supervoxels spread over the table, one layer of elements at a time, until none changes.

    owner (E,): supervoxel of every element, -1 = none; best (E,): its integer distance to the
    center (S,9) of that, FREE or FIXED. Both are written to. In each layer, the elements that
    changed in the one before offer their supervoxel to their neighbours; an element takes the
    nearest of the offers and its own. fix: an element that was taken is not given up again.
    """
    n, k = table.shape
    front, coming = np.flatnonzero(owner >= 0).astype(np.int32), np.empty(n, np.int32)
    front = np.concatenate((front, np.empty(n - len(front), np.int32)))
    count = np.count_nonzero(owner >= 0)
    giver = np.empty(n, np.int32)
    seen, layer = np.zeros(n, np.int32), 0
    while count > 0:
        layer += 1
        changed = 0
        for f in range(count):
            giver[f] = owner[front[f]]
        for f in range(count):
            s = giver[f]
            for m in range(1, k):
                j = table[front[f], m]
                if j < 0 or best[j] == FIXED or owner[j] == s:
                    continue
                d = squared_distance(feature, j, center, s, space[s], color, normal)
                if d < best[j] or (d == best[j] and s < owner[j]):
                    best[j], owner[j] = d, s
                    if seen[j] != layer:
                        seen[j] = layer
                        coming[changed] = j
                        changed += 1
        if fix:
            for f in range(changed):
                best[coming[f]] = FIXED
        front, coming, count = coming, front, changed


@njit(cache=True)
def nearest_members(owner, feature, center, space):
    """Element (S,) of every supervoxel that lies nearest to its center."""
    seed = np.full(len(center), -1)
    lowest = np.full(len(center), FREE)
    for i in range(len(owner)):
        s = owner[i]
        if s >= 0:
            d = squared_distance(feature, i, center, s, space[s], 0.0, 0.0)
            if d < lowest[s]:
                seed[s], lowest[s] = i, d
    return seed


@njit(cache=True)
def components(table, label):
    """Number (E,) int32 of the connected part of equal labels (E,) that every element is in."""
    part = np.full(len(table), np.int32(-1), np.int32)
    queue = np.empty(len(table), np.int32)
    count = 0
    for i in range(len(table)):
        if part[i] >= 0:
            continue
        part[i], queue[0], head, size = count, i, 0, 1
        while head < size:
            for j in table[queue[head]]:
                if j >= 0 and part[j] < 0 and label[j] == label[i]:
                    part[j], queue[size] = count, j
                    size += 1
            head += 1
        count += 1
    return part
