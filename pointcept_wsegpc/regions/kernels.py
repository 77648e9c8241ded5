"""The compiled core of region growing: least-squares planes, and growth over a neighbour table.

N points, K entries of a neighbour table: k nearest neighbours in a cloud (growing.py), the
8-neighbourhood of the pixel grid in a view (depth_view.py). The points of a plane are held as ten
running moments (count, three first, six second), so that it grows by additions alone and a refit
costs one 3x3 eigenproblem.

Functions that call each other share this file: numba's cache misses changes in another.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ..clouds.planes import MOMENTS, add_point, fit_plane

# A region's plane is fitted anew each time it has grown by REFIT_GROWTH, from FIRST_REFIT points
# on, and taken if the region is REFIT_ASPECT times as wide as it is thick (both RMS). Before that
# the seed's own normal, the flattest of its surroundings, is the better estimate.
FIRST_REFIT = 16
REFIT_GROWTH = 1.25
REFIT_ASPECT = 4.0


@njit(cache=True)
def grow_from_seed(seed, label, coord, normal, neighbour, tolerance, min_cos, region, member):
    """Label all that the seed reaches; the members are written to member[:size]. Returns size.

    The plane starts as the seed's point and normal. Members are visited first in, first out.
    """
    moments = np.zeros(MOMENTS)  # relative to the seed
    x0, y0, z0 = coord[seed]
    px, py, pz = 0.0, 0.0, 0.0
    nx, ny, nz = normal[seed]
    add_point(moments, 0.0, 0.0, 0.0)
    region[seed] = label
    member[0] = seed
    head, size, next_refit = 0, 1, FIRST_REFIT
    while head < size:
        for j in neighbour[member[head]]:
            if j < 0 or region[j] >= 0:
                continue
            cosine = abs(normal[j, 0] * nx + normal[j, 1] * ny + normal[j, 2] * nz)
            if not cosine >= min_cos:
                continue
            x, y, z = coord[j, 0] - x0, coord[j, 1] - y0, coord[j, 2] - z0
            if not abs((x - px) * nx + (y - py) * ny + (z - pz) * nz) <= tolerance[j]:
                continue
            region[j] = label
            member[size] = j
            size += 1
            add_point(moments, x, y, z)
            if size >= next_refit:
                next_refit = math.ceil(size * REFIT_GROWTH)
                fit = fit_plane(moments)
                if fit[7] >= REFIT_ASPECT * fit[6]:
                    px, py, pz, nx, ny, nz = fit[:6]
        head += 1
    return size


@njit(cache=True)
def grow_regions(coord, normal, neighbour, order, tolerance, min_cos, min_size):
    """Region (N,) int32 of every point, contiguous from 0 in the order found, -1 = unassigned.

    coord (N,3) and unit normal (N,3) float64, of any sign; a zero normal keeps a point out.
    neighbour (N,K) int32, -1 = none. order: the points to try as seeds, first to last. tolerance
    (N,): largest distance of a point to the plane of the region that takes it, in meters.
    min_cos: least |cosine| between the two normals. A region below min_size points is given up:
    its points are free again for later regions, its seed is not tried twice.
    """
    n = len(coord)
    region = np.full(n, -1, np.int32)
    member = np.empty(n, np.int32)
    count = 0
    for seed in order:
        if region[seed] >= 0 or not normal[seed].any():
            continue
        size = grow_from_seed(
            seed, count, coord, normal, neighbour, tolerance, min_cos, region, member
        )
        if size >= min_size:
            count += 1
        else:
            region[member[:size]] = -1
    return region
