"""Region growing against a plain numpy version of the same rule, and on made-up surfaces."""

import math

import numpy as np
import pytest

from pointcept_wsegpc.clouds.planes import MOMENTS, add_point, fit_plane
from pointcept_wsegpc.regions import fill_unassigned, partition, partition_view
from pointcept_wsegpc.regions.depth_view import grid_planes
from pointcept_wsegpc.regions.kernels import FIRST_REFIT, REFIT_ASPECT, REFIT_GROWTH


def plane_by_numpy(points):
    """Centroid, normal, thickness, width of (M,3) points, from numpy's eigenvectors."""
    center = points.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov((points - center).T, bias=True))
    return center, vectors[:, 0], math.sqrt(max(values[0], 0)), math.sqrt(max(values[1], 0))


def partition_by_numpy(coord, normal, neighbours, max_distance, max_angle, min_size):
    """The rule of partition_growing, spelt out point by point, with brute-force neighbours."""
    n = len(coord)
    distance = np.linalg.norm(coord[:, None] - coord[None], axis=-1)
    nearest = np.argsort(distance, axis=1, kind="stable")
    table = nearest[:, : neighbours + 1]
    around = nearest[:, : 33 if normal is None else neighbours + 1]  # estimates take 32 neighbours
    planes = [plane_by_numpy(coord[row]) for row in around]
    unevenness = [math.hypot(p[2], (x - p[0]) @ p[1]) for x, p in zip(coord, planes, strict=True)]
    if normal is None:
        normal = np.array([plane[1] for plane in planes])
    region, count = np.full(n, -1), 0
    for seed in np.argsort(unevenness, kind="stable"):
        if region[seed] >= 0:
            continue
        center, direction, members, next_refit = coord[seed], normal[seed], [seed], FIRST_REFIT
        region[seed] = count
        for i in members:  # grows while it is walked
            for j in table[i]:
                angle = math.degrees(math.acos(min(1.0, abs(normal[j] @ direction))))
                off = abs((coord[j] - center) @ direction)
                if region[j] >= 0 or angle > max_angle or off > max_distance:
                    continue
                region[j] = count
                members.append(j)
                if len(members) >= next_refit:
                    next_refit = math.ceil(len(members) * REFIT_GROWTH)
                    fit = plane_by_numpy(coord[members])
                    if fit[3] >= REFIT_ASPECT * fit[2]:
                        center, direction = fit[:2]
        if len(members) >= min_size:
            count += 1
        else:
            region[members] = -1
    return region


def patch(rng, n, axis, offset=0.0, noise=0.003):
    """n points spread over the square [0,2]^2 m across an axis."""
    points = rng.uniform(0, 2, (n, 3))
    points[:, axis] = offset + rng.normal(0, noise, n)
    return points


@pytest.fixture
def corner():
    """Three perpendicular walls of 1200 points, and the wall of every point."""
    rng = np.random.default_rng(0)
    coord = np.concatenate([patch(rng, 1200, axis) for axis in range(3)])
    return coord, np.repeat(np.arange(3), 1200)


@pytest.fixture
def clutter():
    """A small cloud with everything: three planes, a ball, loose points."""
    rng = np.random.default_rng(1)
    ball = rng.normal(size=(150, 3))
    ball = 1.0 + 0.4 * ball / np.linalg.norm(ball, axis=1, keepdims=True)
    planes = [patch(rng, 200, axis, noise=0.01) for axis in range(3)]
    return np.concatenate([*planes, ball, rng.uniform(0, 2, (50, 3))])


def view_intrinsic(width, height):
    focal = 0.9 * width
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])


def view_rays(height, width):
    """K^-1 (column, row, 1) of every pixel, (H,W,3)."""
    row, col = np.indices((height, width))
    pixel = np.stack([col, row, np.ones_like(row)], axis=-1)
    return pixel @ np.linalg.inv(view_intrinsic(width, height)).T


def view_of_planes(width, height, planes):
    """z-depth (H,W) and index (H,W) of the nearest of some planes n . X = 1, (P,3)."""
    rays = view_rays(height, width)
    inverse = np.stack([rays @ np.asarray(n, dtype=float) for n in planes])
    return 1 / inverse.max(axis=0), inverse.argmax(axis=0)


# Two walls that meet at an edge 3 m ahead, each turned 45 degrees; a floor 0.6 m below.
WALLS_AND_FLOOR = [(1 / 3, 0, 1 / 3), (-1 / 3, 0, 1 / 3), (0, 1 / 0.6, 0)]


# --- planes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0])
def test_fit_plane_agrees_with_numpy(scale):
    rng = np.random.default_rng(2)
    for _ in range(200):
        points = rng.normal(size=(rng.integers(3, 20), 3)) * rng.uniform(0.01, 1, 3) * scale
        moments = np.zeros(MOMENTS)
        for point in points:
            add_point(moments, *point)
        plane = fit_plane(moments)
        center, normal, thickness, width = plane_by_numpy(points)
        np.testing.assert_allclose(plane[:3], center, atol=1e-9 * scale)
        assert abs(np.dot(plane[3:6], normal)) == pytest.approx(1, abs=1e-6)
        assert plane[6:] == pytest.approx((thickness, width), abs=1e-6 * scale)


# --- clouds -----------------------------------------------------------------------------------


@pytest.mark.parametrize("given_normal", [False, True])
@pytest.mark.parametrize("max_distance, max_angle, min_size", [(0.04, 20, 20), (0.2, 45, 1)])
def test_growing_is_the_rule_spelt_out(clutter, given_normal, max_distance, max_angle, min_size):
    normal = None
    if given_normal:
        normal = np.random.default_rng(3).normal(size=clutter.shape)
        normal[:600] = np.repeat(np.eye(3), 200, axis=0) + 0.1 * normal[:600]
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    settings = {"max_distance": max_distance, "max_angle": max_angle, "min_size": min_size}
    region = partition(clutter, normal, neighbours=8, **settings)
    expected = partition_by_numpy(clutter, normal, 8, **settings)
    assert region.dtype == np.int32
    assert region.max() >= 2
    np.testing.assert_array_equal(region, expected)


def test_bad_normals_are_estimated(corner):
    coord, wall = corner
    normal = np.eye(3)[wall]
    expected = partition(coord, normal)
    normal[30:40], normal[40:50] = np.nan, 0
    assert (partition(coord, normal) == expected).mean() > 0.99


def test_fill_takes_the_nearest_region():
    rng = np.random.default_rng(10)
    coord = rng.normal(size=(300, 3))
    region = rng.integers(-1, 4, 300)
    coord[7], region[7] = np.nan, -1
    filled = fill_unassigned(coord, region)
    known = np.flatnonzero(region >= 0)
    for i in range(300):
        nearest = known[np.argmin(np.linalg.norm(coord[known] - coord[i], axis=1))]
        assert filled[i] == (-1 if i == 7 else region[nearest])
    assert (region == -1).any()  # the input is untouched
    np.testing.assert_array_equal(fill_unassigned(np.zeros((3, 3)), np.full(3, -1)), [-1] * 3)
    with pytest.raises(ValueError, match="coord has 3 points"):
        fill_unassigned(np.zeros((3, 3)), np.zeros(2, int))


# --- views ------------------------------------------------------------------------------------


def test_grid_planes_agree_with_least_squares_on_inverse_depth():
    rng = np.random.default_rng(12)
    intrinsic, (h, w) = view_intrinsic(12, 9), (9, 12)
    depth = 2 + rng.normal(0, 0.1, (h, w))
    depth[rng.random((h, w)) < 0.2] = 0
    depth[:, 6:] += 1.0 * (depth[:, 6:] > 0)  # a depth edge
    radius = rng.integers(1, 4, (h, w)).astype(np.int32)
    normal, residual = grid_planes(
        depth, intrinsic, radius, np.full((h, w), 0.3), np.full((h, w), 0.05)
    )
    for i, j in np.ndindex(h, w):
        row, col = np.indices((h, w))
        reach = np.maximum(abs(row - i), abs(col - j))
        step = np.abs(depth - depth[i, j])
        use = (depth > 0) & (reach <= radius[i, j]) & (step <= 0.3 + 0.05 * reach)
        if depth[i, j] == 0 or use.sum() < 3:
            assert not normal[i, j].any() and residual[i, j] == np.inf
            continue
        rays = view_rays(h, w)[use]
        n, _, rank, _ = np.linalg.lstsq(rays, 1 / depth[use], rcond=None)
        assert rank == 3
        rms = np.sqrt(np.mean((rays @ n - 1 / depth[use]) ** 2))
        np.testing.assert_allclose(normal[i, j], n / np.linalg.norm(n), atol=1e-8)
        expected = depth[i, j] * rms / np.linalg.norm(n)
        assert residual[i, j] == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("width, height", [(64, 48), (320, 240)])
def test_view_of_a_corner(width, height):
    depth, surface = view_of_planes(width, height, WALLS_AND_FLOOR)
    rng = np.random.default_rng(13)
    noisy = depth + rng.normal(0, 0.0015, depth.shape) * depth**2
    noisy[rng.random(depth.shape) < 0.03] = 0
    region = partition_view(noisy, view_intrinsic(width, height))
    assert region.shape == depth.shape and region.dtype == np.int32
    assert (region[noisy == 0] == -1).all()
    counts = np.bincount(region[region >= 0])
    assert counts.min() >= 12
    for s in range(3):
        ids, sizes = np.unique(region[(surface == s) & (noisy > 0)], return_counts=True)
        r = ids[sizes.argmax()]
        assert r >= 0
        assert sizes.max() > 0.85 * sizes.sum()
        assert sizes.max() > 0.95 * counts[r]


@pytest.mark.parametrize("method", ["growing", "graph"])
def test_view_separates_a_box_from_the_wall_behind(method):
    depth = np.full((48, 64), 3.0)
    depth[20:35, 20:40] = 2.5
    region = partition_view(depth, view_intrinsic(64, 48), method=method)
    assert len(np.unique(region[22:33, 22:38])) == 1
    assert region[0, 0] >= 0 and region[30, 30] >= 0 and region[0, 0] != region[30, 30]


def test_view_without_depth_or_pixels():
    intrinsic = view_intrinsic(64, 48)
    for invalid in (0.0, np.nan, np.inf, -1.0, 1e300, 1e-300):
        assert (partition_view(np.full((48, 64), invalid), intrinsic) == -1).all()
    assert partition_view(np.zeros((0, 5)), intrinsic).shape == (0, 5)
    assert (partition_view(np.ones((1, 40)), intrinsic) == -1).all()  # a line is no plane
    one = np.zeros((48, 64))
    one[3, 3] = 1
    assert (partition_view(one, intrinsic, min_size=1) == -1).all()


def test_a_view_is_filled_and_warned_of(caplog):
    depth = np.full((48, 64), 2.0)
    depth[20, 20], depth[:5] = 1.5, 0
    holes = partition_view(depth, view_intrinsic(64, 48))
    filled = partition_view(depth, view_intrinsic(64, 48), fill=True)
    assert holes[20, 20] == -1 and (filled[5:] == 0).all() and (filled[:5] == -1).all()
    assert not caplog.messages
    partition_view(1000 * depth, view_intrinsic(64, 48))
    assert "the median depth is about 2e+03; rooms in meters" in caplog.text


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"depth": np.zeros(5)}, r"depth has shape \(5,\)"),
        ({"intrinsic": np.eye(4)}, r"intrinsic has shape \(4, 4\)"),
        ({"intrinsic": np.zeros((3, 3))}, "focal lengths are 0.0 and 0.0"),
        ({"intrinsic": np.tri(3)}, "last row 0 0 1"),
        ({"intrinsic": np.diag([np.inf, 1, 1])}, "expected finite"),
        ({"color": np.zeros((4, 4, 4))}, r"color has shape \(4, 4, 4\); expected \(4, 4, 3\)"),
        ({"depth_noise": -1.0}, "depth_noise is -1.0"),
        ({"depth_noise": "low"}, "depth_noise is low"),
        ({"max_angle": 0}, "max_angle is 0"),
    ],
)
def test_wrong_view_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        partition_view(**{"depth": np.zeros((4, 4)), "intrinsic": np.eye(3), **arguments})
