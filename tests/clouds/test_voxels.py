"""Voxels and ids: against loops, without points, in a wrong unit."""

import numpy as np
import pytest

from pointcept_wsegpc.clouds.ids import compact_ids, join_ids
from pointcept_wsegpc.clouds.voxels import thin, voxelize

RNG = np.random.default_rng(0)


def slow_voxelize(coord, grid_size):
    """{cell: indices of its points}, cells counted from the lowest."""
    cells = [tuple(np.floor(row / np.float32(grid_size)).astype(int)) for row in coord]
    low = [min(cell[axis] for cell in cells) for axis in range(3)]
    members = {}
    for i, cell in enumerate(cells):
        members.setdefault(tuple(int(c - b) for c, b in zip(cell, low, strict=True)), []).append(i)
    return members


@pytest.mark.parametrize("grid_size", [0.04, 0.3, 50.0])
def test_voxels_against_a_loop(grid_size):
    coord = np.random.default_rng(0).normal(0, 1, (400, 3)).astype(np.float32)
    coord[0] = coord[7]  # a repeated point
    grid, index, inverse = voxelize(coord, grid_size)
    members = slow_voxelize(coord, grid_size)
    assert grid.dtype == np.int32 and len(grid) == len(members) and grid.min() == 0
    for voxel, cell in enumerate(grid):
        assert np.flatnonzero(inverse == voxel).tolist() == members[tuple(cell)]
        assert index[voxel] == members[tuple(cell)][0]  # the first point stands for the voxel


def test_voxels_far_from_the_origin():
    coord = np.array([[-100, 2000, 5], [-100.3, 2000, 5], [-100, 2000.01, 5]], np.float32)
    grid, index, inverse = voxelize(coord, 0.25)
    assert grid.tolist() == [[0, 0, 0], [2, 0, 0]]
    assert index.tolist() == [1, 0] and inverse.tolist() == [1, 0, 1]


@pytest.mark.parametrize("points", [0, 1])
def test_voxels_of_nothing_and_of_one_point(points):
    grid, index, inverse = voxelize(np.full((points, 3), 7.3, np.float32), 0.04)
    assert grid.shape == (points, 3) and not grid.any()
    assert index.tolist() == inverse.tolist() == [0] * points


def test_voxels_leave_out_what_is_not_finite():
    coord = RNG.uniform(0, 3, (60, 3)).astype(np.float32)
    alone = voxelize(coord, 0.5)
    bad = np.insert(coord, [0, 20, 60], [[np.nan, 0, 0], [0, np.inf, 0], [0, 0, -np.inf]], axis=0)
    grid, first, inverse = voxelize(bad, 0.5)
    row = np.flatnonzero(np.isfinite(bad).all(1))
    assert (grid == alone[0]).all() and (first == row[alone[1]]).all()
    assert (inverse[row] == alone[2]).all() and (np.delete(inverse, row) == -1).all()
    grid, first, inverse = voxelize(np.full((2, 3), np.nan), 0.5)
    assert grid.shape == (0, 3) and len(first) == 0 and inverse.tolist() == [-1, -1]


def test_an_origin_moves_the_borders_of_voxels():
    coord = np.array([[0.1, 0, 0], [0.4, 0, 0], [0.6, 0, 0]])
    assert voxelize(coord, 0.5)[2].tolist() == [0, 0, 1]
    assert voxelize(coord, 0.5, origin=np.array([0.2, 0, 0]))[2].tolist() == [0, 1, 1]
    moved = voxelize(coord + 7.25, 0.5, origin=np.full(3, 7.25))
    assert moved[2].tolist() == [0, 0, 1] and moved[0].tolist() == [[0, 0, 0], [1, 0, 0]]


def test_voxels_are_told_apart_whatever_the_unit():
    """As many cells as 64 bits cannot number: 1e36 of them, and 8 points."""
    corner = np.stack(np.meshgrid([0, 1e12], [0, 1e12], [0, 1e12]), -1).reshape(-1, 3)
    _, first, inverse = voxelize(np.concatenate([corner, corner]), 1.0)
    assert sorted(first) == list(range(8)) and (inverse[:8] == inverse[8:]).all()
    assert len(set(inverse)) == 8


def test_thinning_leaves_one_point_per_cell_and_the_way_back():
    coord = np.concatenate([RNG.uniform(0, 1, (3000, 3)), [[np.nan, 0, 0], [0, np.inf, 0]]])
    index, inverse = thin(coord, 0.1)
    cells = np.floor((coord[:3000]) / 0.1).astype(int)
    assert len(index) == len(np.unique(cells, axis=0)) and (np.diff(index) > 0).all()
    assert (inverse[3000:] == -1).all() and inverse.dtype == np.int32
    assert (cells[index[inverse[:3000]]] == cells).all()
    assert (inverse[index] == np.arange(len(index))).all()


def test_thinning_of_nothing_and_of_far_outliers():
    coord = np.array([[0, 0, 0], [0, 0, 0], [np.nan, 0, 0], [1, 0, 0]], dtype=float)
    index, inverse = thin(coord, 0)
    assert index.tolist() == [0, 1, 3] and inverse.tolist() == [0, 1, -1, 2]
    far = np.array([[0, 0, 0], [1e6, 1e6, 1e6], [1e6, 0, 1e6], [0, 0, 0]], dtype=float)
    index, inverse = thin(far, 0.001)  # 1e27 cells do not fit into 64 bits
    assert index.tolist() == [0, 1, 2] and inverse.tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize("far", [-3.4e38, -1e17, 1e20])
def test_a_point_without_a_voxel_moves_no_other(far):
    coord = RNG.uniform(0, 1, (500, 3))
    alone, inverse_alone = thin(coord, 0.1)
    index, inverse = thin(np.concatenate([coord, [[0, 0, far]]]), 0.1)
    assert (index == alone).all() and (inverse == [*inverse_alone, -1]).all()


def test_joined_ids_do_not_collide():
    parts = [np.array([2, -1, 0]), np.array([], int), np.array([-1, -5]), np.array([0, 1])]
    assert join_ids(parts).tolist() == [2, -1, 0, -1, -1, 3, 4]
    assert join_ids([np.array([-1, 3], np.int32)]).tolist() == [-1, 3]


def test_compact_ids():
    ids = compact_ids(np.array([7, -1, 3, 7, -4, 9]))
    assert ids.dtype == np.int32 and ids.tolist() == [1, -1, 0, 1, -1, 2]
    assert compact_ids(np.array([-1, -1])).tolist() == [-1, -1]
    assert compact_ids(np.array([], int)).tolist() == []
