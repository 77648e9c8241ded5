"""Thinning a cloud to a spacing, and normals where it has none.

N points as scanned, M prepared points. Coordinates in metres.
"""

import numpy as np
from scipy.spatial import cKDTree

NORMAL_NEIGHBOURS = 16
CHUNK = 100_000  # points whose neighbours are looked at together


def thin(coord, spacing):
    """One point of every cubic cell with edges of `spacing` m; 0 keeps all points.

    Returns: index (M,) int64, ascending, of the points that stay; inverse (N,) int32, the place
    among them of the point that stands for each, -1 for points that are not finite.
    """
    finite = np.flatnonzero(np.isfinite(coord).all(axis=1))
    inverse = np.full(len(coord), -1, dtype=np.int32)
    if not spacing:
        inverse[finite] = np.arange(len(finite))
        return finite, inverse
    cell = np.floor(coord[finite] / spacing)
    cell = (cell - cell.min(axis=0)).astype(np.int64)
    # Axis by axis, and renumbered in between: one key of three axes may exceed 64 bits.
    key = cell[:, 0] * (cell[:, 1].max() + 1) + cell[:, 1]
    key = np.unique(key, return_inverse=True)[1].reshape(-1)
    key = key * (cell[:, 2].max() + 1) + cell[:, 2]
    _, first, of_point = np.unique(key, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    inverse[finite] = place[of_point.reshape(-1)]
    return finite[first[order]], inverse


def estimate_normals(coord, neighbours=NORMAL_NEIGHBOURS):
    """Unit normals (M, 3) float32 of the planes through each point's neighbours, of any sign."""
    coord = np.asarray(coord, dtype=np.float64)
    tree, normal = cKDTree(coord), np.zeros((len(coord), 3), np.float32)
    k = min(neighbours, len(coord))
    for start in range(0, len(coord), CHUNK):
        part = coord[start : start + CHUNK]
        _, index = tree.query(part, k=k)
        near = coord[index.reshape(len(part), k)]
        near = near - near.mean(axis=1, keepdims=True)
        # The direction of least spread: eigenvalues come in ascending order.
        _, axes = np.linalg.eigh(np.einsum("nki,nkj->nij", near, near))
        normal[start : start + CHUNK] = axes[:, :, 0]
    return normal


def complete_normals(coord, normal):
    """Unit normals (M, 3) float32, and which were estimated (M,) bool: those that are missing.

    normal (M, 3) as the file has them, of any length, or None.
    """
    if normal is None:
        return estimate_normals(coord), np.ones(len(coord), dtype=bool)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    missing = ~np.isfinite(length[:, 0]) | (length[:, 0] < 1e-6)
    unit = normal / np.where(missing[:, None], 1, length)
    if missing.any():
        unit = np.where(missing[:, None], estimate_normals(coord), unit)
    return unit.astype(np.float32), missing


def face_towards(coord, normal, places):
    """Turn normals (M, 3) to the nearest camera of (P, 3), or without any to the cloud's middle."""
    places = np.asarray(places).reshape(-1, 3)
    if not len(places):
        places = np.quantile(coord, (0.01, 0.99), axis=0).mean(axis=0, keepdims=True)
    _, nearest = cKDTree(places).query(coord)
    away = np.einsum("ni,ni->n", normal, places[nearest] - coord) < 0
    return np.where(away[:, None], -normal, normal).astype(np.float32)


def reach_of_points(coord, neighbours=4):
    """Radius (M,) m of the disc that each point stands for: the distance to its 4th neighbour."""
    if len(coord) <= neighbours:
        return np.full(len(coord), 0.02)
    distance = cKDTree(coord).query(coord, k=neighbours + 1)[0][:, -1]
    return np.minimum(distance, 4 * np.median(distance))  # a stray point is not a wall
