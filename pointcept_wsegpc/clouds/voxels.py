"""Voxels of a cloud: N points, M voxels."""

import numpy as np


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


def voxelize(coord, grid_size):
    """Group points into cubic voxels.

    Args: coord (N, 3) m; grid_size m.
    Returns: grid_coord (M, 3) int32 from 0, index (M,) the first point of each voxel, inverse (N,)
        the voxel of each point.
    """
    grid = np.floor(coord / np.float32(grid_size)).astype(np.int64)
    grid -= grid.min(0, initial=0) if len(grid) == 0 else grid.min(0)
    extent = grid.max(0, initial=0) + 1
    key = (grid[:, 0] * extent[1] + grid[:, 1]) * extent[2] + grid[:, 2]
    _, index, inverse = np.unique(key, return_index=True, return_inverse=True)
    return grid[index].astype(np.int32), index, inverse.reshape(-1)


def crop_to_voxels(coord, grid_size, limit, rng):
    """Keep the nearest half of the voxels around a random one, again and again, until they fit.

    Args: coord (N, 3) m; grid_size m; limit: voxels to be left at most, at least 1.
    Returns: keep (N,) bool, all the points of the voxels that are left.
    """
    _, first, inverse = voxelize(coord, grid_size)
    left = np.arange(len(first))
    while len(left) > limit:
        left = left[nearest_half(coord[first[left]], rng)]
    return np.isin(inverse, left)


def nearest_half(coord, rng):
    """Positions (N // 2,) int64, ascending, of the points (N, 3) nearest to a random one of them.

    The same on every CPU: of points equally far the first stay, and no sum is left to an order of
    NumPy's choice.
    """
    x, y, z = (coord - coord[rng.integers(len(coord))]).astype(np.float64).T
    nearest = np.argsort(x * x + y * y + z * z, kind="stable")
    return np.sort(nearest[: len(coord) // 2])
