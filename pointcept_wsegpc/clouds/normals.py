"""Thinning a cloud to a spacing, and normals where it has none.

N points as scanned, M prepared points. Coordinates in metres.
"""

import numpy as np
from scipy.spatial import cKDTree

NORMAL_NEIGHBOURS = 16
CHUNK = 100_000  # points whose neighbours are looked at together


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


def vertex_normals(coord, face):
    """Unit normals (N, 3) float32: the mean of the adjacent faces' normals, weighted by area.

    Zero where a vertex has no face, or only degenerate ones.
    """
    corner = np.asarray(coord, dtype=np.float64)[face]  # (F, 3 corners, 3)
    # The cross product is normal times twice the area: the weights come with it.
    weighted = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    vertex, per_corner = face.ravel(), np.repeat(weighted, 3, axis=0)
    total = np.stack(
        [np.bincount(vertex, per_corner[:, axis], minlength=len(coord)) for axis in range(3)],
        axis=1,
    )
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.divide(total, length, out=np.zeros_like(total), where=length > 0).astype(np.float32)
