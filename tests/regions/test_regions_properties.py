"""What must hold for region growing and graph-based segmentation on any cloud, on random ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.transform import Rotation

from benchmarks.rand_index import adjusted_rand_index
from pointcept_wsegpc.regions import partition
from pointcept_wsegpc.regions.cloud import Cloud

SAME = 0.99  # adjusted Rand index
METHODS = st.sampled_from(["growing", "graph"])


@st.composite
def clouds(draw):
    """(coord (N,3), normal (N,3) or None, settings with the method): noisy patches of planes and
    balls in a room.

    No two distances, residuals or weights are equal, so the order of points decides nothing.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    noise = draw(st.sampled_from([0.001, 0.01, 0.03]))
    coord, normal = [], []
    for _ in range(draw(st.integers(1, 6))):
        count, rotation = rng.integers(20, 300), Rotation.random(random_state=rng.integers(2**31))
        if rng.random() < 0.7:
            points = rng.uniform(-1, 1, (count, 3)) * [*rng.uniform(0.2, 2, 2), 0]
            direction = np.tile([0.0, 0.0, 1.0], (count, 1))
        else:
            direction = rng.normal(size=(count, 3))
            direction /= np.linalg.norm(direction, axis=1, keepdims=True)
            points = direction * rng.uniform(0.2, 0.6)
        points = points + rng.normal(0, noise, (count, 3))
        coord.append(rotation.apply(points) + rng.uniform(-2, 2, 3))
        normal.append(rotation.apply(direction + rng.normal(0, 0.05, (count, 3))))
    given_settings = {
        "method": draw(METHODS),
        "neighbours": draw(st.integers(4, 20)),
        "max_distance": draw(st.sampled_from([0.02, 0.05, 0.2, 2.0])),
        "min_size": draw(st.integers(1, 60)),
    }
    if given_settings["method"] == "growing":
        given_settings["max_angle"] = draw(st.floats(5, 60))
    else:
        given_settings["threshold"] = draw(st.sampled_from([0.0, 0.003, 0.03, 0.3]))
    normal = np.concatenate(normal) if draw(st.booleans()) else None
    return np.concatenate(coord), normal, given_settings


def turned(normal, rotation):
    return None if normal is None else rotation.apply(normal)


@settings(deadline=None, max_examples=25)
@given(clouds(), st.integers(0, 2**32 - 1))
def test_the_order_of_the_points_does_not_matter(cloud, seed):
    coord, normal, given_settings = cloud
    shuffle = np.random.default_rng(seed).permutation(len(coord))
    shuffled = np.empty(len(coord), int)
    shuffled[shuffle] = partition(
        coord[shuffle], None if normal is None else normal[shuffle], **given_settings
    )
    assert adjusted_rand_index(partition(coord, normal, **given_settings), shuffled) >= SAME


@settings(deadline=None, max_examples=25)
@given(clouds(), st.integers(0, 2**31 - 1))
def test_a_rigid_motion_does_not_matter(cloud, seed):
    coord, normal, given_settings = cloud
    rotation = Rotation.random(random_state=seed)
    moved = rotation.apply(coord) + np.random.default_rng(seed).uniform(-50, 50, 3)
    region = partition(moved, turned(normal, rotation), **given_settings)
    assert adjusted_rand_index(partition(coord, normal, **given_settings), region) >= SAME


@settings(deadline=None, max_examples=25)
@given(clouds(), st.floats(0.2, 5))
def test_the_scale_does_not_matter(cloud, scale):
    coord, normal, given_settings = cloud
    scaled = given_settings | {"max_distance": given_settings["max_distance"] * scale}
    region = partition(coord * scale, normal, **scaled)
    assert adjusted_rand_index(partition(coord, normal, **given_settings), region) >= SAME


@settings(deadline=None, max_examples=25)
@given(clouds(), st.integers(0, 2**32 - 1))
def test_sign_and_length_of_normals_do_not_matter(cloud, seed):
    coord, normal, given_settings = cloud
    if normal is None:
        return
    factor = np.random.default_rng(seed).choice([-2.0, 0.5, 3.0], (len(coord), 1))
    expected = partition(coord, normal, **given_settings)
    np.testing.assert_array_equal(partition(coord, normal * factor, **given_settings), expected)


@settings(deadline=None, max_examples=25)
@given(clouds())
def test_ids_are_contiguous_and_regions_connected_and_large_enough(cloud):
    coord, normal, given_settings = cloud
    region = partition(coord, normal, **given_settings)
    counts = np.bincount(region[region >= 0])
    assert (counts >= given_settings["min_size"]).all()
    whole = Cloud(coord)
    row_region = whole.select(region)
    table = whole.neighbours(given_settings["neighbours"])
    start, stop = np.repeat(np.arange(len(whole)), table.shape[1]), table.ravel()
    inside = (stop >= 0) & (row_region[start] >= 0) & (row_region[start] == row_region[stop])
    graph = coo_array((inside[inside], (start[inside], stop[inside])), (len(whole), len(whole)))
    _, component = connected_components(graph, directed=False)
    assigned = row_region >= 0
    pairs = np.unique(np.stack([row_region, component])[:, assigned], axis=1)
    assert pairs.shape[1] == len(counts)  # a region's points are all of one component


@settings(deadline=None, max_examples=15)
@given(clouds(), st.integers(0, 2**32 - 1))
def test_duplicates_and_bad_points_change_nothing_for_the_others(cloud, seed):
    coord, normal, given_settings = cloud
    rng = np.random.default_rng(seed)
    again = rng.integers(0, len(coord), rng.integers(1, 50))
    bad = rng.choice([np.nan, np.inf, -np.inf], (5, 3))
    more = np.concatenate([coord, coord[again], bad])
    if normal is not None:
        normal_more = np.concatenate([normal, normal[again], np.ones((5, 3))])
    region = partition(more, None if normal is None else normal_more, **given_settings)
    expected = partition(coord, normal, **given_settings)
    np.testing.assert_array_equal(region[: len(coord)], expected)
    np.testing.assert_array_equal(region[len(coord) : -5], expected[again])
    np.testing.assert_array_equal(region[-5:], -1)


@pytest.mark.parametrize("factor", [1, 1000])
def test_millimeters_are_warned_of(factor, caplog):
    coord = np.random.default_rng(0).uniform(0, 2, (3000, 3)) * [1, 1, 0] * factor
    assert (partition(coord) == 0).all()
    assert ("is the unit meters?" in caplog.text) == (factor == 1000)
