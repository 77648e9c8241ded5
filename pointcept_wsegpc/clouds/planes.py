"""Planes fitted to points by their moments."""

import math

import numpy as np
from numba import njit

MOMENTS = 10
# Below this share of the largest variance, the two smaller ones count as equal: the points lie on
# a line or in a ball, and no plane is better than another. Points of float32 on a line differ by
# less, far from the origin too.
DEGENERATE = 1e-7
NO_SPREAD = 1e-60  # square meters; what is below has powers that underflow


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

    coord (N,3) float64 in meters, neighbour (N,K) int32 with -1 = none; a point takes part in its
    own fit only where the table lists it. Returns normal (N,3), of arbitrary sign, and unevenness
    (N,) in meters: hypot(RMS distance of the neighbours to their plane, the point's own distance
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
