"""Whether poses fit points: seen, hidden and denied by hand, colors against NumPy."""

from types import SimpleNamespace

import numpy as np
import pytest

from pointcept_wsegpc.camera.fit import (
    color_agreement,
    compare_depth,
    covered_shares,
    depth_behind,
    fit_views,
    linked_colors,
    spread,
)

INTRINSIC = np.array([[10.0, 0, 4.5], [0, 10, 4.5], [0, 0, 1]])
WALL = SimpleNamespace(
    frame=3, intrinsic=INTRINSIC, world_to_camera=np.eye(4), depth=np.full((10, 10), 2.0)
)
# On the wall, before it, behind it, behind the camera, out of the image.
COORD = np.array([[0, 0, 2.01], [0.1, 0, 1.0], [0.1, 0.1, 3.0], [0, 0, -2], [9, 0, 2]])


def test_depth_behind_by_hand():
    point, behind, z = depth_behind(COORD, INTRINSIC, np.eye(4), WALL.depth)
    assert point.tolist() == [0, 1, 2]
    assert np.allclose(behind, [0.01, -1, 1]) and np.allclose(z, [2.01, 1, 3])
    assert len(depth_behind(COORD, INTRINSIC, np.eye(4), 0 * WALL.depth)[0]) == 0


def test_points_are_seen_hidden_or_denied():
    fit = fit_views(COORD, iter([WALL, WALL]), 0.05)
    assert fit.visible.tolist() == [True, False, False, False, False] and fit.frame == [3, 3]
    assert fit.seen.tolist() == fit.hidden.tolist() == fit.denied.tolist() == [1, 1]
    assert fit.seen_share == pytest.approx(1 / 3) and fit.denied_share == 0.5
    assert fit.median_error == pytest.approx((0.01 + 1.0) / 2, abs=1e-5)
    assert fit.link_error == pytest.approx(0.01, abs=1e-5)
    slanted = SimpleNamespace(**vars(WALL), footprint=0.4)
    wide = fit_views(COORD, [slanted], 0.05)  # up to 1.25 m at 3 m, 0.45 m at 1 m
    assert wide.visible.tolist() == [True, False, True, False, False]


def test_without_a_view_nothing_is_known():
    fit = fit_views(COORD, [], 0.05)
    assert not fit.visible.any() and fit.seen_share == 0 and len(fit.seen) == 0
    assert fit.median_error is fit.denied_share is fit.link_error is None


def test_pixels_that_points_cover():
    x, y = np.meshgrid(np.arange(10), np.arange(10))
    wall = np.stack([(x - 4.5) / 5, (y - 4.5) / 5, 2 + 0 * x], -1).reshape(-1, 3)
    assert covered_shares(wall, [WALL], 0.05, 0.0) == [1]
    left = wall[wall[:, 0] < 0]
    assert covered_shares(left, [WALL], 0.05, 0.0) == [0.5]
    assert covered_shares(left, [WALL], 0.05, 0.1) == [0.6]  # 0.25 m reach the next column


def test_measured_and_rendered_depth():
    measured, rendered = np.array([[[1.0, 2, 4, 0]]]), np.array([[[1.5, 3, 6, 9]]])
    error, ratios = compare_depth(measured, rendered)
    assert error == 1 and ratios == (1.5, 1.5, 1.5)
    assert compare_depth(measured, 0 * rendered) is None


def test_colors_of_links_and_their_agreement():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (10, 10, 3)).astype(np.uint8)
    view = SimpleNamespace(**vars(WALL), color=image)
    color = np.arange(15).reshape(5, 3).astype(np.uint8)
    of_points, of_pixels = linked_colors(COORD, color, [view, view], 0.05)
    assert of_points.tolist() == [[0, 1, 2]] * 2 and (of_pixels == image[5, 5]).all()
    a, b = rng.integers(0, 256, (2, 50, 3))
    expected = np.corrcoef(a.sum(1), b.sum(1))[0, 1]
    assert color_agreement(a, b) == pytest.approx(expected)
    assert color_agreement(a, np.full_like(a, 90)) is color_agreement(a[:1], b[:1]) is None


def test_spread():
    assert spread(3, 9).tolist() == [0, 1, 2] and spread(101, 3).tolist() == [0, 50, 100]
    assert spread(0, 4).tolist() == []
