"""What supervoxels are made of: the voxels of a cloud, the pixels of a view.

M rows of a Cloud or a DepthView, E elements of it.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
from numba import njit

from ..depth_view import MAX_SLOPE, DepthView
from .kernels import mean_features

# Default voxel size in units of Cloud.spacing. Random points lie 0.47 as far from their nearest
# neighbour as those of a grid of equal density: on a surface of them, 1 in 2000 voxels of size 2
# has no neighbour, 1 in 300 of size 1.75.
VOXEL_SPACINGS = 2.0
SEED_VOXELS = 4.0  # default spacing of seeds in voxels
SEED_PIXELS = 12.0  # and in pixels at their median size
MIN_SEED_PIXELS = 6.0  # pixels between seeds where pixels are large
NORMAL_NEIGHBOURS = 12  # of a point, for its normal where none is given
MAX_GRID = 2**56  # cells
# sRGB to CIE XYZ, relative to the white of D65.
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
XYZ /= XYZ.sum(axis=1, keepdims=True)


class Elements(NamedTuple):
    feature: np.ndarray  # (E,9): coordinates in meters, CIELAB color / 100, unit normal or 0
    table: np.ndarray  # (E,K) int32: itself, then its neighbours; -1 = none
    spacing: np.ndarray  # (E,) meters between seeds
    pitch: np.ndarray  # (E,) meters between elements
    index: np.ndarray  # (M,) the element of every row
    size: np.ndarray  # (E,) rows per element


def elements_of(cloud, settings):
    """The voxels of a Cloud or the pixels of a DepthView."""
    if isinstance(cloud, DepthView):
        return pixel_elements(cloud, settings.seed_spacing)
    return voxel_elements(cloud, settings.voxel_size, settings.seed_spacing)


def voxel_elements(cloud, voxel_size, seed_spacing):
    """Elements of a Cloud: its voxels, adjacent if they share a face, an edge or a corner."""
    normal = cloud.planes(NORMAL_NEIGHBOURS)[0]
    # The grid starts a quarter of a voxel below the lowest coordinates: so it moves with the
    # cloud, and points on a lattice lie inside voxels, not on their faces.
    coord = cloud.coord - cloud.coord.min(axis=0)
    with np.errstate(over="ignore"):  # inf: too many voxels, as grid_keys will say
        position = coord / voxel_size + 0.25
    key, (rows, columns) = grid_keys(position)
    key, index, size = np.unique(key, return_inverse=True, return_counts=True)
    color = np.zeros_like(cloud.coord) if cloud.color is None else cloud.color
    feature = np.concatenate([coord, color, normal], axis=1)
    feature = mean_features(feature, index, len(key))
    if cloud.color is not None:
        feature[:, 3:6] = lab(feature[:, 3:6])
    shift = [(x * rows + y) * columns + z for x, y, z in product((-1, 0, 1), repeat=3)]
    table = voxel_neighbours(key, np.array([s for s in shift if s != 0]))
    spacing, pitch = np.full(len(key), seed_spacing), np.full(len(key), voxel_size)
    return Elements(feature, table, spacing, pitch, index, size)


def grid_keys(position):
    """Number (M,) of the cell of every position (M,3), in units of cells and above 0, such that
    the cells around it have numbers apart by constants; and the sizes of the last two axes.
    """
    cell = np.floor(position)
    sides = cell.max(axis=0) + 3  # an empty cell at either end
    if not sides.max() < MAX_GRID or not sides.prod() < MAX_GRID:
        sides = " x ".join(f"{side:.6g}" for side in sides)
        raise ValueError(
            f"the cloud spans {sides} voxels; give a larger voxel_size or leave out far points"
        )
    x, y, z = (cell + 1).astype(np.int64).T
    rows, columns = int(sides[1]), int(sides[2])
    return (x * rows + y) * columns + z, (rows, columns)


@njit(cache=True)
def voxel_neighbours(key, shift):
    """(E, 1 + len(shift)) int32 of sorted voxel keys (E,): itself, then the voxels at key + shift.

    Both run upwards together, so that one pass per shift finds all.
    """
    n = len(key)
    table = np.full((n, len(shift) + 1), np.int32(-1), np.int32)
    for i in range(n):
        table[i, 0] = i
    for k in range(len(shift)):
        j = 0
        for i in range(n):
            target = key[i] + shift[k]
            while j < n and key[j] < target:
                j += 1
            if j < n and key[j] == target:
                table[i, k + 1] = j
    return table


def pixel_elements(view, seed_spacing):
    """Elements of a DepthView: its pixels, adjacent to the eight around them unless a depth edge
    lies between. Where pixels are sparse, the spacing of seeds doubles until it spans enough.
    """
    depth, pitch = view.coord[:, 2], view.footprint
    table = view.neighbours(8)
    noise = view.tolerance(0.0)
    # The nearer of two pixels decides, so that both agree.
    step = noise + MAX_SLOPE * pitch
    step = np.minimum(step[:, None], step[table])
    table = np.where(np.abs(depth[table] - depth[:, None]) > step, np.int32(-1), table)
    seed_spacing = seed_spacing or SEED_PIXELS * np.median(pitch)
    doublings = np.ceil(np.log2(np.maximum(MIN_SEED_PIXELS * pitch / seed_spacing, 1.0)))
    color = np.zeros_like(view.coord) if view.color is None else lab(view.color)
    feature = np.concatenate([view.coord, color, view.planes(NORMAL_NEIGHBOURS)[0]], axis=1)
    index, size = np.arange(len(view)), np.ones(len(view), np.int64)
    return Elements(feature, table, seed_spacing * 2.0**doublings, pitch, index, size)


def lab(color):
    """CIELAB colors (...,3), divided by 100, of sRGB colors in 0..1 under the white of D65."""
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    xyz = linear @ XYZ.T
    x, y, z = np.moveaxis(np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116), -1, 0)
    return np.stack([1.16 * y - 0.16, 5.0 * (x - y), 2.0 * (y - z)], axis=-1)
