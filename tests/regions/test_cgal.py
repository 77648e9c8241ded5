"""Method cgal beside growing, and what is said where the package is not installed."""

import sys

import numpy as np
import pytest
from region_rows import regions_of

from benchmarks.rand_index import adjusted_rand_index
from pointcept_wsegpc.regions.cloud import Cloud
from pointcept_wsegpc.regions.depth_view import DepthView

SETTINGS = {"neighbours": 12, "max_distance": 0.04, "max_angle": 20.0, "min_size": 50}


@pytest.fixture
def cgal():
    pytest.importorskip("CGAL", reason="the optional package cgal is not installed")


def surface(rng, n, axis, low, high, noise=0.003):
    """n points (n,3) over a rectangle across an axis, with their normals."""
    points = rng.uniform(low, high, (n, 3))
    points[:, axis] += rng.normal(0, noise, n)
    return points, np.tile(np.eye(3)[axis], (n, 1)) + rng.normal(0, 0.03, (n, 3))


def room():
    """A floor, three walls and the top and front of a table: coord and normal (N,3)."""
    rng = np.random.default_rng(0)
    parts = [
        surface(rng, 2400, 2, (0, 0, 0), (3, 3, 0)),
        surface(rng, 2000, 0, (0, 0, 0.1), (0, 3, 2.5)),
        surface(rng, 2000, 1, (0, 0, 0.1), (3, 0, 2.5)),
        surface(rng, 2000, 0, (3, 0, 0.1), (3, 3, 2.5)),
        surface(rng, 900, 2, (1, 1, 0.7), (2, 2, 0.7)),
        surface(rng, 600, 1, (1, 0.95, 0.1), (2, 0.95, 0.65)),
    ]
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def test_agrees_with_growing(cgal):
    cloud = Cloud(*room())
    ours, theirs = regions_of("growing", cloud, **SETTINGS), regions_of("cgal", cloud, **SETTINGS)
    assert theirs.shape == (len(cloud),)
    assert theirs.min() >= -1 and len(np.unique(theirs[theirs >= 0])) == theirs.max() + 1 >= 6
    assert np.bincount(theirs[theirs >= 0]).min() >= SETTINGS["min_size"]
    assert adjusted_rand_index(ours, theirs) >= 0.9
    np.testing.assert_array_equal(regions_of("cgal", cloud, **SETTINGS), theirs)


def test_points_without_a_normal_stay_out(cgal):
    rng = np.random.default_rng(2)
    coord = np.concatenate([rng.uniform(0, 1, (300, 3)) * [1, 1, 0], np.full((5, 3), 9.0)])
    cloud = Cloud(coord, np.tile([0, 0, 1.0], (305, 1)))
    assert len(cloud) == 301
    cloud.given_normal[::7] = 0
    cloud.planes = lambda k: (cloud.given_normal, None)
    region = regions_of("cgal", cloud, max_distance=0.04, min_size=1)
    assert (region[::7] == -1).all() and (np.delete(region, np.s_[::7]) >= 0).all()


def test_small_clouds_and_views(cgal):
    for n in (0, 1, 2, 5):
        coord = np.random.default_rng(n).uniform(size=(n, 3)) * [1, 1, 0]
        cloud = Cloud(coord, np.tile([0, 0, 1.0], (n, 1)))
        np.testing.assert_array_equal(regions_of("cgal", cloud, min_size=1), np.zeros(n))
    assert (regions_of("cgal", Cloud(np.zeros((40, 3)))) == -1).all()  # no plane, no normal
    depth = np.full((48, 64), 2.0)
    depth[10:30, 20:40] = 1.5
    intrinsic = np.array([[60.0, 0, 31.5], [0, 60, 23.5], [0, 0, 1]])
    view = DepthView(depth, intrinsic)
    region = view.spread(regions_of("cgal", view))
    assert region[12, 22] == region[28, 38] >= 0 and region[2, 2] == region[45, 60] >= 0
    assert region[12, 22] != region[2, 2]


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "CGAL", None)
    for name in [name for name in sys.modules if name.startswith("CGAL.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ImportError, match=r"`pip install cgal` \(GPL, .* 3\.12\); .*'growing'"):
        regions_of("cgal", Cloud(*room()), **SETTINGS)
