"""The compiled core of region growing: least-squares planes, and growth over a neighbour table.

N points, K entries of a neighbour table: k nearest neighbours in a cloud (growing.py), the
8-neighbourhood of the pixel grid in a view (views.py). The points of a plane are held as ten
running moments (count, three first, six second), so that it grows by additions alone and a refit
costs one 3x3 eigenproblem.

What calls each other stays in this one file: numba's cache sees no change in another.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

MOMENTS = 10
# Below this share of the largest variance, the two smaller ones count as equal: the points lie on
# a line or in a ball, and no plane is better than another. Points of float32 on a line differ by
# less, far from the origin too.
DEGENERATE = 1e-7
NO_SPREAD = 1e-60  # square metres; what is below has powers that underflow
# A region's plane is fitted anew each time it has grown by REFIT_GROWTH, from FIRST_REFIT points
# on, and taken if the region is REFIT_ASPECT times as wide as it is thick (both RMS). Before that
# the seed's own normal, the flattest of its surroundings, is the better estimate.
FIRST_REFIT = 16
REFIT_GROWTH = 1.25
REFIT_ASPECT = 4.0


@njit(cache=True)
def add_point(moments, x, y, z):
    """Add one point to the moments (10,): 1, x, y, z, xx, xy, xz, yy, yz, zz."""
    moments[0] += 1.0
    moments[1] += x
    moments[2] += y
    moments[3] += z
    moments[4] += x * x
    moments[5] += x * y
    moments[6] += x * z
    moments[7] += y * y
    moments[8] += y * z
    moments[9] += z * z


@njit(cache=True)
def eigenvalues(xx, xy, xz, yy, yz, zz):
    """Smallest, middle and largest eigenvalue of a symmetric 3x3 matrix (Smith 1961)."""
    mean = (xx + yy + zz) / 3.0
    a, b, c = xx - mean, yy - mean, zz - mean
    spread = math.sqrt((a * a + b * b + c * c + 2.0 * (xy * xy + xz * xz + yz * yz)) / 6.0)
    if not spread > NO_SPREAD:
        return mean, mean, mean
    determinant = a * (b * c - yz * yz) - xy * (xy * c - yz * xz) + xz * (xy * yz - b * xz)
    cosine = min(1.0, max(-1.0, determinant / (2.0 * spread**3)))
    angle = math.acos(cosine) / 3.0
    largest = mean + 2.0 * spread * math.cos(angle)
    smallest = mean + 2.0 * spread * math.cos(angle + 2.0 * math.pi / 3.0)
    return smallest, 3.0 * mean - largest - smallest, largest


@njit(cache=True)
def cross(ax, ay, az, bx, by, bz):
    return ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx


@njit(cache=True)
def fit_plane(moments):
    """Least-squares plane of the moments (10,), as eight floats.

    Centroid, unit normal, RMS distance of the points to the plane (thickness), and RMS extent in
    the plane along its narrower side (width). Points that determine no plane (fewer than three,
    on a line, in a ball) have the normal (0, 0, 0), infinite thickness and no width.
    """
    count = moments[0]
    if count < 3.0:
        return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, np.inf, 0.0
    mx, my, mz = moments[1] / count, moments[2] / count, moments[3] / count
    xx, yy = moments[4] / count - mx * mx, moments[7] / count - my * my
    xy, xz = moments[5] / count - mx * my, moments[6] / count - mx * mz
    yz, zz = moments[8] / count - my * mz, moments[9] / count - mz * mz
    low, middle, high = eigenvalues(xx, xy, xz, yy, yz, zz)
    if not middle - low > DEGENERATE * high:
        return mx, my, mz, 0.0, 0.0, 0.0, np.inf, 0.0
    # The rows of (A - low I) span the plane; their longest cross product is the best-determined.
    nx, ny, nz = cross(xx - low, xy, xz, xy, yy - low, yz)
    px, py, pz = cross(xx - low, xy, xz, xz, yz, zz - low)
    qx, qy, qz = cross(xy, yy - low, yz, xz, yz, zz - low)
    if px * px + py * py + pz * pz > nx * nx + ny * ny + nz * nz:
        nx, ny, nz = px, py, pz
    if qx * qx + qy * qy + qz * qz > nx * nx + ny * ny + nz * nz:
        nx, ny, nz = qx, qy, qz
    length = math.sqrt(nx * nx + ny * ny + nz * nz)
    nx, ny, nz = nx / length, ny / length, nz / length
    return mx, my, mz, nx, ny, nz, math.sqrt(max(low, 0.0)), math.sqrt(middle)


@njit(cache=True)
def local_planes(coord, neighbour):
    """Normal and unevenness of every point from its neighbours.

    coord (N,3) float64 in metres, neighbour (N,K) int32 with -1 = none; a point takes part in its
    own fit only where the table lists it. Returns normal (N,3), of arbitrary sign, and unevenness
    (N,) in metres: hypot(RMS distance of the neighbours to their plane, the point's own distance
    to it); 0 and inf where there is no plane. The point's own share also tells points apart that
    have the same neighbours: a region starts from the one that lies in the plane.
    """
    n = len(coord)
    normal = np.empty((n, 3))
    unevenness = np.empty(n)
    moments = np.empty(MOMENTS)
    for i in range(n):
        moments[:] = 0.0
        x, y, z = coord[i, 0], coord[i, 1], coord[i, 2]
        for j in neighbour[i]:
            if j >= 0:  # relative to the point itself: no cancellation far from the origin
                add_point(moments, coord[j, 0] - x, coord[j, 1] - y, coord[j, 2] - z)
        mx, my, mz, nx, ny, nz, thickness, _ = fit_plane(moments)
        normal[i, 0], normal[i, 1], normal[i, 2] = nx, ny, nz
        unevenness[i] = math.hypot(thickness, mx * nx + my * ny + mz * nz)
    return normal, unevenness


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
    (N,): largest distance of a point to the plane of the region that takes it, in metres.
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
