"""Normals of meshes and of clouds, and the spacing of points."""

import numpy as np
import raw_scan

from pointcept_wsegpc.clouds.normals import (
    complete_normals,
    estimate_normals,
    face_normals,
    orient_normals,
    sum_at_vertices,
    vertex_normals,
)
from pointcept_wsegpc.clouds.spacing import reach_of_points, spacing

RNG = np.random.default_rng(0)


def test_face_normals_by_hand():
    coord = np.array([[0, 0, 0], [2, 0, 0], [0, 3, 0], [0, 3, 0], [4, 0, 0]], np.float32)
    normal, area = face_normals(coord, np.array([[0, 1, 2], [1, 0, 2], [0, 1, 4], [2, 3, 1]]))
    assert normal.tolist() == [[0, 0, 1], [0, 0, -1], [0, 0, 0], [0, 0, 0]]
    assert area.tolist() == [3, 3, 0, 0] and normal.dtype == area.dtype == np.float32
    total = sum_at_vertices(np.array([[0, 1, 2], [0, 2, 3]]), np.eye(3)[:2], 5)
    assert total.tolist() == [[1, 1, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_vertex_normals_against_loop():
    rng = np.random.default_rng(0)
    coord, face = rng.normal(size=(30, 3)), rng.integers(0, 28, size=(60, 3))  # 28, 29: no face
    face[0] = [3, 3, 5]  # degenerate
    expected = np.zeros((30, 3))
    for a, b, c in face:
        normal = np.cross(coord[b] - coord[a], coord[c] - coord[a])
        for vertex in (a, b, c):
            expected[vertex] += normal / 2
    for i in range(30):
        length = np.linalg.norm(expected[i])
        expected[i] = expected[i] / length if length else 0
    normal = vertex_normals(coord, face)
    assert normal.dtype == np.float32 and np.allclose(normal, expected, atol=1e-5)
    assert (normal[28:] == 0).all()


def test_normals_are_estimated_only_where_they_are_missing():
    coord, surface, _ = raw_scan.room()
    axis = np.where(surface == raw_scan.FLOOR, 2, 1)
    inner = (np.abs(coord[:, 1] - 3) > 0.2) | (coord[:, 2] > 0.2)  # off the edge of the two
    normal = estimate_normals(coord)
    assert np.allclose(np.abs(normal[np.arange(len(coord)), axis][inner]), 1, atol=1e-4)
    given = np.tile(np.float32([0, 0, 3]), (len(coord), 1))
    given[5], given[6] = 0, np.nan
    normal, estimated = complete_normals(coord, given)
    assert np.flatnonzero(estimated).tolist() == [5, 6]
    assert np.allclose(normal[~estimated], [0, 0, 1])
    faced = orient_normals(coord, estimate_normals(coord), np.array([[2.0, 1.0, 1.2]]))
    assert (faced[np.arange(len(coord)), axis][inner] * np.where(axis == 2, 1, -1)[inner] > 0).all()


def test_normals_of_a_box_point_to_the_nearest_camera():
    u = np.linspace(0, 3, 40)
    grid = np.stack(np.meshgrid(u, u), -1).reshape(-1, 2)
    floor = np.column_stack([grid, np.zeros(len(grid))])
    wall = np.column_stack([np.full(len(grid), 3.0), grid])
    coord = np.concatenate([floor, wall])
    for cameras in (np.array([[1, 1, 1.5], [0.5, 2, 1]]), np.empty((0, 3))):
        normal = orient_normals(coord, estimate_normals(coord), cameras)
        assert normal.dtype == np.float32 and np.allclose(np.linalg.norm(normal, axis=1), 1)
        inside = (np.abs(floor[:, 0] - 1.5) < 1.2) & (np.abs(floor[:, 1] - 1.5) < 1.2)
        assert np.allclose(normal[: len(floor)][inside], [0, 0, 1], atol=1e-3)
        inside = (np.abs(wall[:, 1] - 1.5) < 1.2) & (np.abs(wall[:, 2] - 1.5) < 1.2)
        assert np.allclose(normal[len(floor) :][inside], [-1, 0, 0], atol=1e-3)
    alone = orient_normals(coord[:1], estimate_normals(coord[:1]), np.empty((0, 3)))
    assert alone.shape == (1, 3)


def test_normals_of_very_few_points():
    for number in (1, 2, 3):
        normal, estimated = complete_normals(RNG.normal(size=(number, 3)), None)
        assert np.allclose(np.linalg.norm(normal, axis=1), 1) and estimated.all()


def test_estimates_against_eigenvectors():
    coord = RNG.normal(loc=(2000, -300, 10), size=(300, 3))
    normal = estimate_normals(coord)
    for i in range(0, 300, 30):
        near = coord[np.argsort(((coord - coord[i]) ** 2).sum(1))[:16]]
        axis = np.linalg.eigh(np.cov(near.T))[1][:, 0]
        assert abs(abs(axis @ normal[i]) - 1) < 1e-5


def test_copies_of_points_change_nothing():
    """Merged scans: every point twenty times."""
    coord = RNG.uniform(0, 1, (200, 3)) * [1, 1, 0.01]
    row = RNG.permutation(np.tile(np.arange(200), 20))
    assert np.isclose(spacing(coord[row], sample=10**6), spacing(coord))
    np.testing.assert_allclose(reach_of_points(coord[row]), reach_of_points(coord)[row])
    along = np.abs((estimate_normals(coord[row]) * estimate_normals(coord)[row]).sum(axis=1))
    np.testing.assert_allclose(along, 1, atol=1e-5)


def test_spacing_of_a_grid_and_of_few_points():
    grid = np.stack(np.meshgrid(*[np.arange(12) * 0.3] * 3), -1).reshape(-1, 3)
    assert np.isclose(spacing(grid), 0.3) and np.isclose(spacing(grid, sample=5), 0.3)
    assert spacing(grid[:1]) == spacing(grid[:0]) == 0
    assert np.isclose(spacing(grid[:2]), 0.3)
    assert np.allclose(reach_of_points(grid), 0.3, atol=0.3) and len(reach_of_points(grid[:3])) == 3
