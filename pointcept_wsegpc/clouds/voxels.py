"""Voxels of a cloud: N points, M voxels. Coordinates and edges in meters."""

from __future__ import annotations

import numpy as np

MAX_CELL = 2.0**52  # beyond, float64 has not every cell


def voxelize(
    coord: np.ndarray, grid_size: float, origin: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Group points into cubic voxels.

    Args: coord (N, 3) m; grid_size m; origin (3,) m: a corner where eight voxels meet.
    Returns: grid_coord (M, 3) int32 from 0, first (M,) int64: the first point of each voxel,
        inverse (N,) int64: the voxel of each point, -1 for one that is not finite, or so far away
        that floats tell no voxels apart there.
    """
    coord = coord if origin is None else coord - origin
    return _group(coord / np.float32(grid_size))  # so that float32 coordinates stay float32


def thin(coord: np.ndarray, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """One point of every cubic cell with edges of `spacing` m; 0 keeps all finite points.

    Returns: index (M,) int64, ascending, of the points that stay; inverse (N,) int32, the place
    among them of the point that stands for each, -1 for points that are not finite.
    """
    if not spacing:
        finite = np.isfinite(coord).all(axis=1)
        return np.flatnonzero(finite), np.where(finite, finite.cumsum() - 1, -1).astype(np.int32)
    _, first, inverse = _group(coord / spacing)
    order = np.argsort(first)  # voxels are sorted by their places, points are to stay in order
    place = np.full(len(order) + 1, -1, np.int32)  # the last is what -1 points to
    place[order] = np.arange(len(order))
    return first[order], place[inverse]


def _group(scaled):
    """`voxelize` of coordinates (N, 3) in units of the grid."""
    placed = (np.abs(scaled) < MAX_CELL).all(axis=1)
    if not placed.all():
        row = np.flatnonzero(placed)
        grid, first, of_row = _group(scaled[row])
        inverse = np.full(len(scaled), -1, np.int64)
        inverse[row] = of_row
        return grid, row[first], inverse
    cell = np.floor(scaled).astype(np.int64)
    cell -= cell.min(axis=0) if len(cell) else 0
    key = _joint_key(_joint_key(cell[:, 0], cell[:, 1]), cell[:, 2])
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    return cell[first].astype(np.int32), first, inverse.reshape(-1)


def _joint_key(first, second):
    """One number (N,) for each pair of two from 0 on, in the order of the pairs."""
    count = int(second.max(initial=0)) + 1
    if (int(first.max(initial=0)) + 1) * count > 2**62:  # too many for 64 bits, unlike the points
        first, second = (np.unique(a, return_inverse=True)[1].reshape(-1) for a in (first, second))
        count = len(second)
    return first * count + second


def crop_to_voxels(
    coord: np.ndarray, grid_size: float, limit: int, rng: np.random.Generator
) -> np.ndarray:
    """Keep the nearest half of the voxels around a random one, again and again, until they fit.

    Args: coord (N, 3) m; grid_size m; limit: voxels to be left at most, at least 1.
    Returns: keep (N,) bool, all the points of the voxels that are left.
    """
    _, first, inverse = voxelize(coord, grid_size)
    left = np.arange(len(first))
    while len(left) > limit:
        left = left[nearest_half(coord[first[left]], rng)]
    return np.isin(inverse, left)


def nearest_half(coord: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Positions (N // 2,) int64, ascending, of the points (N, 3) nearest to a random one of them.

    The same on every CPU: of points equally far the first stay, and no sum
    depends on NumPy's summation order.
    """
    x, y, z = (coord - coord[rng.integers(len(coord))]).astype(np.float64).T
    nearest = np.argsort(x * x + y * y + z * z, kind="stable")
    return np.sort(nearest[: len(coord) // 2])
