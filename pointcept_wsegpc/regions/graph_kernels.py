"""The compiled core of graph-based segmentation: edges, their weights, and segments joined by them.

M rows of a Cloud or a DepthView, K entries of a neighbour table, E edges.
What calls each other stays in this one file: numba's cache sees no change in another.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

# Weights are multiples of this, so that what differs by rounding alone is equal everywhere.
WEIGHT_STEP = 2.0**-28


@njit(cache=True)
def table_edges(table):
    """Tail (E,) and head (E,) of the pairs of rows of which one has the other as a neighbour."""
    rows, entries = table.shape
    tail = np.empty(rows * (entries - 1), np.int32)
    head = np.empty_like(tail)
    count = 0
    for i in range(rows):
        for s in range(1, entries):
            j = table[i, s]
            known = j < 0
            if j < i:  # was it found from j?
                for t in range(1, entries):
                    known |= table[j, t] == i
            if not known:
                tail[count], head[count] = i, j
                count += 1
    return tail[:count], head[:count]


@njit(cache=True)
def weigh_edges(coord, normal, tail, head, tolerance, convex, tail_only):
    """Weight (E,), inf where an end has no normal, and length (E,), -1 where the edge is cut.

    coord (M,3) in metres, normal (M,3), 0 = none. The weight is 1 - |cos|, or where convex is asked
    for 1 - cos, squared where both ends lie behind the other's tangent plane. tail_only: that
    the tail does is enough, as in ScanNet's segmentator, which keeps an edge once per face.
    tolerance (M,): an edge is cut if both ends are farther off the other's tangent plane, in
    metres. An end without a normal does not count; of two of them the length does.
    """
    weight, length = np.empty(len(tail)), np.empty(len(tail))
    for e in range(len(tail)):
        a, b = tail[e], head[e]
        dot, ahead, behind, square, size_a, size_b = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for k in range(3):
            step = coord[b, k] - coord[a, k]
            dot += normal[a, k] * normal[b, k]
            ahead += normal[b, k] * step  # > 0: the tail is behind the plane of the head
            behind -= normal[a, k] * step  # > 0: the head is behind the plane of the tail
            square += step * step
            size_a += abs(normal[a, k])
            size_b += abs(normal[b, k])
        off = math.inf
        if size_a > 0.0:
            off = abs(behind)
        if size_b > 0.0:
            off = min(off, abs(ahead))
        length[e] = math.sqrt(square)
        if not min(off, length[e]) <= max(tolerance[a], tolerance[b]):
            length[e] = -1.0
        bend = 1.0 - (dot if convex else abs(dot))
        if convex and ahead > 0.0 and (tail_only or behind > 0.0):
            bend *= bend
        usable = size_a > 0.0 and size_b > 0.0
        weight[e] = max(0.0, round(bend / WEIGHT_STEP)) * WEIGHT_STEP if usable else math.inf
    return weight, length


@njit(cache=True)
def find_root(parent, i):
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(cache=True)
def join_segments(rows, tail, head, weight, order, threshold, min_size):
    """Segment (M,) int32 of every row, contiguous from 0; -1 for segments below min_size.

    Segments are trees of a disjoint-set forest, joined by size. limit is Int(C) + k / |C| of F&H
    eq. 2-4: edges come in order of weight, so the last one that joined is the largest inside.
    """
    parent, size = np.arange(rows), np.ones(rows, np.int64)
    limit = np.full(rows, threshold)
    for joins_small in (False, True):
        for e in order:
            a, b = find_root(parent, tail[e]), find_root(parent, head[e])
            if a == b:
                continue
            if joins_small:
                if size[a] >= min_size and size[b] >= min_size:
                    continue
            elif not weight[e] <= min(limit[a], limit[b]):
                continue
            if size[a] < size[b]:
                a, b = b, a
            parent[b] = a
            size[a] += size[b]
            limit[a] = weight[e] + threshold / size[a]
    label, region = np.full(rows, -1, np.int32), np.full(rows, -1, np.int32)
    count = 0
    for i in range(rows):
        root = find_root(parent, i)
        if size[root] < min_size:
            continue
        if label[root] < 0:
            label[root] = count
            count += 1
        region[i] = label[root]
    return region
