"""Pinhole geometry: round trips, explicit pixel-edge arithmetic, slow loops as oracles."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointcept_wsegpc.camera import (
    back_project,
    pixels_in_image,
    project,
    resize_intrinsic,
    visible_pixels,
)
from pointcept_wsegpc.camera.resample import nearest_index, resample_color, resample_to

INTRINSIC = np.array([[55.0, 0, 15.3], [0, 52, 11.8], [0, 0, 1]])
SIZE = (24, 32)


def random_pose(rng):
    """A rigid world-to-camera (4, 4)."""
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    pose = np.eye(4)
    pose[:3, :3] = rotation * np.sign(np.linalg.det(rotation))
    pose[:3, 3] = rng.normal(size=3)
    return pose


def to_world(points, pose):
    return (points - pose[:3, 3]) @ pose[:3, :3]


def visible_loop(coord, intrinsic, pose, depth, tolerance):
    """`visible_pixels` point by point, in float64."""
    found = []
    for index, point in enumerate(coord):
        x, y, z = pose[:3, :3] @ point + pose[:3, 3]
        if z <= 0:
            continue
        col = int(np.floor(intrinsic[0, 0] * x / z + intrinsic[0, 2] + 0.5))
        row = int(np.floor(intrinsic[1, 1] * y / z + intrinsic[1, 2] + 0.5))
        if not (0 <= row < depth.shape[0] and 0 <= col < depth.shape[1]):
            continue
        if depth[row, col] > 0 and abs(depth[row, col] - z) <= tolerance:
            found.append((index, row, col))
    return np.array(found, dtype=int).reshape(-1, 3)


@pytest.mark.parametrize("seed", range(3))
def test_project_undoes_back_project(seed):
    rng = np.random.default_rng(seed)
    pose, depth = random_pose(rng), rng.uniform(0.3, 6, SIZE)
    points = back_project(depth, INTRINSIC, np.linalg.inv(pose))
    assert points.shape == (*SIZE, 3)
    uv, z = project(points.reshape(-1, 3), INTRINSIC, pose)
    row, col = np.indices(SIZE)
    assert np.allclose(uv, np.stack([col.ravel(), row.ravel()], 1), atol=2e-3)
    assert np.allclose(z, depth.ravel(), atol=1e-5)


def test_project_by_hand():
    pose = np.eye(4)
    pose[:3, 3] = [0, 0, 2]
    uv, z = project(np.array([[0.0, 0, 0], [1, -0.5, 2], [0, 0, -2], [0, 0, -3]]), INTRINSIC, pose)
    assert np.allclose(uv[:2], [[15.3, 11.8], [15.3 + 55 / 4, 11.8 - 52 * 0.5 / 4]])
    assert z.tolist() == [2, 4, 0, -1]
    uv, z = project(np.zeros((0, 3)), INTRINSIC, pose)
    assert uv.shape == (0, 2) and z.shape == (0,)


def test_back_project_leaves_missing_depth_on_the_center():
    points = back_project(np.zeros((2, 3)), INTRINSIC)
    assert (points == 0).all()
    pose = random_pose(np.random.default_rng(1))
    assert np.allclose(back_project(np.zeros((2, 3)), INTRINSIC, pose), pose[:3, 3], atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_visible_pixels_against_loop(seed):
    rng = np.random.default_rng(seed)
    pose = random_pose(rng)
    # Somewhat more than the field of view, in front of the camera and behind it.
    z = rng.uniform(-1, 3, 3000)
    u, v = rng.uniform(-4, 36, 3000), rng.uniform(-4, 28, 3000)
    rays = np.stack([u, v, np.ones(3000)], axis=1) @ np.linalg.inv(INTRINSIC).T
    coord = to_world(rays * z[:, None], pose).astype(np.float32)
    depth = rng.uniform(0.5, 3, SIZE) * (rng.random(SIZE) > 0.2)
    found = np.stack(visible_pixels(coord, INTRINSIC, pose, depth, 0.3), axis=1)
    expected = visible_loop(coord.astype(np.float64), INTRINSIC, pose, depth, 0.3)
    # float32 may decide otherwise for a point within rounding of a limit.
    differing = set(map(tuple, found)) ^ set(map(tuple, expected))
    assert len(expected) > 100 and len(differing) <= 2
    assert (np.diff(found[:, 0]) > 0).all()


def test_visible_pixels_at_the_borders():
    """A pixel reaches from -0.5 to +0.5 around its center, the lower edge belonging to it."""
    intrinsic = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    depth = np.ones((2, 3))
    for uv, pixel in (
        ((-0.5, -0.5), (0, 0)),
        ((-0.51, 0), None),
        ((0, -0.51), None),
        ((0.49, 0.49), (0, 0)),
        ((0.5, 0.5), (1, 1)),
        ((2.49, 1.49), (1, 2)),
        ((2.5, 0), None),
        ((0, 1.5), None),
    ):
        point, row, col = visible_pixels(np.array([[*uv, 1.0]]), intrinsic, np.eye(4), depth, 0.1)
        assert list(zip(row, col, strict=True)) == ([pixel] if pixel else []), uv
        assert point.tolist() == ([0] if pixel else [])


def test_pixels_in_image_holds_hidden_points():
    coord = np.array([[0, 0, 5], [2.4, 1.4, 1], [0, 0, -1], [0, 0, 2], [3, 0, 1], [np.nan, 0, 1]])
    point, row, col, z = pixels_in_image(coord, np.eye(3), np.eye(4), (2, 3))
    assert point.tolist() == [0, 1, 3] and z.tolist() == [5, 1, 2]
    assert row.tolist() == [0, 1, 0] and col.tolist() == [0, 2, 0]


def test_visible_pixels_refuses_what_nobody_sees():
    hidden = {
        "behind": [0, 0, -1],
        "in the image plane": [0, 0, 0],
        "too near": [0, 0, 0.85],
        "too far": [0, 0, 1.15],
        "not a number": [np.nan, 0, 1],
        "infinite": [np.inf, 0, 1],
        "grazing": [1e30, 1e30, 1e-30],
    }
    seen = [0, 0, 1.05]
    intrinsic = np.array([[1.0, 0, 1], [0, 1, 1], [0, 0, 1]])
    coord = np.array([*hidden.values(), seen])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        point, _, _ = visible_pixels(coord, intrinsic, np.eye(4), np.ones((3, 3)), 0.1)
    assert point.tolist() == [len(hidden)]
    for empty in (np.zeros((0, 3)), coord):
        point, row, col = visible_pixels(empty, intrinsic, np.eye(4), np.zeros((3, 3)), 0.1)
        assert len(point) == len(row) == len(col) == 0
        assert point.dtype == row.dtype == col.dtype == np.int64


@given(
    st.integers(1, 2000),
    st.integers(1, 2000),
    st.integers(1, 2000),
    st.integers(1, 2000),
    st.floats(-0.5, 1.5),
    st.floats(-0.5, 1.5),
)
@settings(max_examples=60, deadline=None)
def test_resize_keeps_the_image_edges(old_h, old_w, new_h, new_w, cx, cy):
    """What lies at a share of the way from edge to edge stays there: edges are -0.5 and n - 0.5."""
    intrinsic = np.array([[500.0, 0, cx * old_w], [0, 400, cy * old_h], [0, 0, 1]])
    resized = resize_intrinsic(intrinsic, (old_h, old_w), (new_h, new_w))
    for axis, (old, new) in enumerate(((old_w, new_w), (old_h, new_h))):
        for ray in (-0.7, 0.0, 0.3):  # x/z of a viewing ray
            share = (intrinsic[axis, axis] * ray + intrinsic[axis, 2] + 0.5) / old
            pixel = resized[axis, axis] * ray + resized[axis, 2]
            assert np.isclose(pixel, -0.5 + share * new, atol=1e-6)
    assert (resized[2] == [0, 0, 1]).all()


def test_resize_round_trip_and_batches():
    batch = np.stack([INTRINSIC, INTRINSIC * [[2, 1, 1], [1, 3, 1], [1, 1, 1]]])
    resized = resize_intrinsic(batch, SIZE, (120, 200))
    assert np.allclose(resized[1], resize_intrinsic(batch[1], SIZE, (120, 200)))
    assert np.allclose(resize_intrinsic(resized, (120, 200), SIZE), batch)
    assert (batch[0] == INTRINSIC).all()  # the argument is left alone


def test_resample_against_loop():
    rng = np.random.default_rng(0)
    image = rng.integers(1, 255, size=(20, 30, 3)).astype(np.uint8)
    source = np.array([[25.0, 0, 14], [0, 26, 9.3], [0, 0, 1]])
    target = np.array([[31.0, 0, 20.2], [0, 22, 8.1], [0, 0, 1]])
    result = resample_to(image, source, target, (17, 41))
    outside = 0
    for row in range(17):
        for col in range(41):
            ray = np.linalg.inv(target) @ [col, row, 1]
            u, v, _ = np.floor(source @ ray + 0.5).astype(int)
            inside = 0 <= u < 30 and 0 <= v < 20
            outside += not inside
            assert (result[row, col] == (image[v, u] if inside else 0)).all()
    assert 0 < outside < 17 * 41
    assert result.dtype == np.uint8
    same = resample_to(image[..., 0], source, source, (20, 30))
    assert (same == image[..., 0]).all()


def test_color_resampling_averages_what_a_pixel_covers():
    image = np.zeros((40, 60, 3), np.uint8)
    image[:, ::2] = 200  # stripes finer than a target pixel
    matrix = np.array([[100.0, 0, 29.5], [0, 100, 19.5], [0, 0, 1]])
    small = resize_intrinsic(matrix, (40, 60), (10, 15))
    shrunk = resample_color(image, matrix, small, (10, 15)).astype(int)
    assert np.abs(shrunk - 100).max() <= 25
    # The same camera changes nothing; a wider one sees black outside.
    assert (resample_color(image, matrix, matrix, (40, 60)) == image).all()
    wide = matrix.copy()
    wide[:2, 2] += 10
    shifted = resample_color(image, matrix, wide, (60, 80))
    assert (shifted[10:50, 10:70] == image).all() and (shifted[:9] == 0).all()


@pytest.mark.parametrize(("old", "new"), [(480, 240), (480, 100), (7, 7), (5, 12), (1, 3)])
def test_nearest_index_against_distances(old, new):
    center = (np.arange(new) + 0.5) * old / new - 0.5
    distance = np.abs(np.arange(old)[:, None] - center)
    chosen = distance[nearest_index(old, new), np.arange(new)]
    assert np.allclose(chosen, distance.min(0))
