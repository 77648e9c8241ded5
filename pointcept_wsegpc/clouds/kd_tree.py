"""Nearest neighbours of every point of a cloud among its own points, by a k-d tree. N points.

SciPy's tree answers any query; this one answers the only question that partitions ask, in half the
time, because it walks the points in the order of its own leaves. Exact; ties go by tree order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

LEAF = 24  # most points of a leaf
STACK = 64  # deeper than a tree of 2^31 points


class Tree(NamedTuple):
    """A complete binary tree of nodes, children 2i + 1 and 2i + 2; the leaves are its last row."""

    point: np.ndarray  # (N,3): the coordinates in the order of the leaves
    index: np.ndarray  # (N,) int32: which of the points given each of them is
    start: np.ndarray  # (nodes,) int32: node i holds point[start[i]:stop[i]]
    stop: np.ndarray
    box: np.ndarray  # (nodes, 6): lower and upper corner of its points


@njit(cache=True)
def _swap(point, index, i, j):
    for axis in range(3):
        point[i, axis], point[j, axis] = point[j, axis], point[i, axis]
    index[i], index[j] = index[j], index[i]


@njit(cache=True)
def _select(point, index, axis, low, high, rank):
    """Partly sort the rows low:high along an axis, until row `rank` is what a full sort has there.

    Points (N,3) and their indices (N,) are moved together.
    """
    high -= 1
    while low < high:
        first, middle, last = point[low, axis], point[(low + high) // 2, axis], point[high, axis]
        pivot = max(min(first, middle), min(max(first, middle), last))
        i, j = low, high
        while i <= j:
            while point[i, axis] < pivot:
                i += 1
            while point[j, axis] > pivot:
                j -= 1
            if i <= j:
                _swap(point, index, i, j)
                i += 1
                j -= 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            return


@njit(cache=True)
def _enclose(point, start, stop, box, node):
    """Write the bounding box of the points start:stop to box[node]."""
    box[node, :3], box[node, 3:] = np.inf, -np.inf
    for i in range(start, stop):
        for axis in range(3):
            box[node, axis] = min(box[node, axis], point[i, axis])
            box[node, 3 + axis] = max(box[node, 3 + axis], point[i, axis])


@njit(cache=True)
def build_tree(coord):
    """Tree of finite coordinates (N,3) float64: nodes are halved across their longest side."""
    n, depth = len(coord), 0
    while n > LEAF << depth:
        depth += 1
    nodes = (2 << depth) - 1
    point, index = coord.copy(), np.arange(n).astype(np.int32)  # moved into the leaves' order
    start, stop = np.zeros(nodes, np.int32), np.zeros(nodes, np.int32)
    box = np.empty((nodes, 6))
    stop[0] = n
    for node in range(nodes):
        low, high = start[node], stop[node]
        _enclose(point, low, high, box, node)
        child = 2 * node + 1
        if child >= nodes:
            continue
        middle = (low + high) // 2
        axis = np.argmax(box[node, 3:] - box[node, :3])
        _select(point, index, axis, low, high, middle)
        start[child], stop[child] = low, middle
        start[child + 1], stop[child + 1] = middle, high
    return Tree(point, index, start, stop, box)


@njit(cache=True)
def _gap(box, a, b):
    """Squared distance between the boxes of two nodes."""
    x = max(0.0, box[a, 0] - box[b, 3], box[b, 0] - box[a, 3])
    y = max(0.0, box[a, 1] - box[b, 4], box[b, 1] - box[a, 4])
    z = max(0.0, box[a, 2] - box[b, 5], box[b, 2] - box[a, 5])
    return x * x + y * y + z * z


@njit(cache=True)
def _distance_to_box(box, node, x, y, z):
    """Squared distance of a point to the box of a node."""
    dx = max(0.0, box[node, 0] - x, x - box[node, 3])
    dy = max(0.0, box[node, 1] - y, y - box[node, 4])
    dz = max(0.0, box[node, 2] - z, z - box[node, 5])
    return dx * dx + dy * dy + dz * dz


@njit(cache=True)
def _scan(coord, start, stop, row, best, table, slot, count):
    """Put the points start..stop among the nearest of a row: best[slot] (squared distances) and
    table[row] (which), nearest first, count of them so far. Returns the new count.
    """
    k = best.shape[1]
    x, y, z = coord[row, 0], coord[row, 1], coord[row, 2]
    reach = best[slot, k - 1]
    for i in range(start, stop):
        dx, dy, dz = coord[i, 0] - x, coord[i, 1] - y, coord[i, 2] - z
        distance = dx * dx + dy * dy + dz * dz
        if distance >= reach:
            continue
        place = min(count, k - 1)
        count = min(count + 1, k)
        while place > 0 and best[slot, place - 1] > distance:
            best[slot, place] = best[slot, place - 1]
            table[row, place] = table[row, place - 1]
            place -= 1
        best[slot, place] = distance
        table[row, place] = i
        reach = best[slot, k - 1]
    return count


@njit(cache=True)
def query_tree(coord, start, stop, box, k):
    """(N, k) int32: rows of the k nearest points to every row of coord, itself among them.

    coord (N,3) float64 in the order of the leaves; nearest first, -1 where there are fewer. The
    tree is walked once per leaf, for all of its points together.
    """
    nodes = len(start)
    table = np.full((len(coord), k), np.int32(-1), np.int32)
    best, count = np.empty((LEAF, k)), np.empty(LEAF, np.int64)
    stack, bound = np.empty(STACK, np.int32), np.empty(STACK)
    for leaf in range(nodes // 2, nodes):
        first = start[leaf]
        best[:], count[:] = np.inf, 0
        reach = np.inf  # within which the leaf's points may have nearer neighbours than so far
        stack[0], bound[0], top = 0, 0.0, 1
        while top > 0:
            top -= 1
            node = stack[top]
            if bound[top] >= reach:
                continue
            while 2 * node + 1 < nodes:  # down to the nearest leaf; the others wait on the stack
                near, far = 2 * node + 1, 2 * node + 2
                near_gap, far_gap = _gap(box, near, leaf), _gap(box, far, leaf)
                if far_gap < near_gap or (far_gap == near_gap and start[far] <= first):
                    near, far, far_gap = far, near, near_gap
                if far_gap < reach:
                    stack[top], bound[top] = far, far_gap
                    top += 1
                node = near
            reach = 0.0
            for slot in range(stop[leaf] - first):
                row = first + slot
                x, y, z = coord[row, 0], coord[row, 1], coord[row, 2]
                if _distance_to_box(box, node, x, y, z) < best[slot, k - 1]:
                    count[slot] = _scan(
                        coord, start[node], stop[node], row, best, table, slot, count[slot]
                    )
                reach = max(reach, best[slot, k - 1])
    return table
