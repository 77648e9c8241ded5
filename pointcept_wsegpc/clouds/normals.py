"""Normals of meshes and of clouds. N points, F faces; coordinates in meters."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from .clean import distinct_rows, unit
from .kd_tree import build_tree, query_tree
from .planes import local_planes

NEIGHBOURS = 16  # that a normal is estimated from, the point itself among them


def face_normals(coord: np.ndarray, face: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit normals (F, 3) by the right-hand rule and areas (F,) m², both in coord's float type.

    A face without area has the normal zero.
    """
    cross = _cross(coord, face)
    length = np.linalg.norm(cross, axis=1, keepdims=True)
    normal = np.divide(cross, length, out=np.zeros_like(cross), where=length > 0)
    return normal, length[:, 0] / 2


def vertex_normals(coord: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Unit normals (N, 3) float32: the mean of the adjacent faces' normals, weighted by area.

    Zero where a vertex has no face, or only degenerate ones.
    """
    # The cross product is normal times twice the area: the weights come with it.
    weighted = _cross(np.asarray(coord, dtype=np.float64), face)
    return unit(sum_at_vertices(face, weighted, len(coord))).astype(np.float32)


def sum_at_vertices(face: np.ndarray, of_face: np.ndarray, num_points: int) -> np.ndarray:
    """Sums (N, 3) float64 over the faces (F, 3) that each vertex is a corner of, of (F, 3)."""
    vertex, each = face.ravel(), np.repeat(of_face, 3, axis=0)
    columns = [np.bincount(vertex, each[:, axis], minlength=num_points) for axis in range(3)]
    return np.stack(columns, axis=1)


def _cross(coord, face):
    a, b, c = (coord[face[:, i]] for i in range(3))
    return np.cross(b - a, c - a)


def estimate_normals(coord: np.ndarray) -> np.ndarray:
    """Unit normals (N, 3) float32 of the planes through each point's neighbours, of any sign.

    Upwards where the neighbours determine no plane. All coordinates must be finite. Points at one
    place are one.
    """
    coord = np.ascontiguousarray(coord, dtype=np.float64)
    rows, place = distinct_rows(coord)
    tree = build_tree(coord[rows])
    neighbours = query_tree(tree.point, tree.start, tree.stop, tree.box, NEIGHBOURS)
    normal = np.empty((len(rows), 3), np.float32)
    normal[tree.index] = local_planes(tree.point, neighbours)[0]
    normal[~normal.any(axis=1)] = (0, 0, 1)
    return normal[place]


def complete_normals(coord: np.ndarray, normal: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Unit normals (N, 3) float32, and which were estimated (N,) bool: those that are missing.

    normal (N, 3) as the file has them, of any length, or None.
    """
    if normal is None:
        return estimate_normals(coord), np.ones(len(coord), dtype=bool)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    missing = ~np.isfinite(length[:, 0]) | (length[:, 0] < 1e-6)
    known = normal / np.where(missing[:, None], 1, length)
    if missing.any():
        known = np.where(missing[:, None], estimate_normals(coord), known)
    return known.astype(np.float32), missing


def orient_normals(coord: np.ndarray, normal: np.ndarray, viewpoints: np.ndarray) -> np.ndarray:
    """Normals (N, 3) float32, turned to the nearest of the viewpoints (P, 3) m.

    Without viewpoints they are turned to the middle of the cloud.
    """
    viewpoints = np.asarray(viewpoints).reshape(-1, 3)
    if not len(viewpoints):
        viewpoints = np.quantile(coord, (0.01, 0.99), axis=0).mean(axis=0, keepdims=True)
    _, nearest = cKDTree(viewpoints).query(coord)
    away = np.einsum("ni,ni->n", normal, viewpoints[nearest] - coord) < 0
    return np.where(away[:, None], -normal, normal).astype(np.float32)
