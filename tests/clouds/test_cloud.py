"""What partition methods get to see: neighbours, defaults, and what was wrong with the input."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from benchmarks.rand_index import adjusted_rand_index
from pointcept_wsegpc.clouds.clean import is_measured, may_repeat, unit_range
from pointcept_wsegpc.clouds.kd_tree import LEAF, build_tree, query_tree
from pointcept_wsegpc.regions import partition
from pointcept_wsegpc.regions.cloud import FOR_NORMALS, Cloud


@pytest.mark.parametrize("n", [0, 1, 2, 5, LEAF, LEAF + 1, 2 * LEAF + 1, 100, 3333])
@pytest.mark.parametrize("k", [1, 4, 33])
def test_the_tree_finds_the_nearest(n, k):
    rng = np.random.default_rng(n)
    coord = rng.normal(size=(n, 3)) * [1, 10, 0.1]
    tree = build_tree(coord)
    np.testing.assert_array_equal(coord[tree.index], tree.point)
    table = query_tree(tree.point, tree.start, tree.stop, tree.box, k)
    expected = np.full((n, k), n)
    if n:
        nearest = cKDTree(tree.point).query(tree.point, k)[1]
        expected = nearest.reshape(n, k)  # scipy drops the axis where k is 1
    np.testing.assert_array_equal(table, np.where(expected == n, -1, expected))


@pytest.mark.parametrize("shape", ["one place", "a line", "a grid"])
def test_the_tree_survives_ties(shape):
    coord = {
        "one place": np.ones((500, 3)),
        "a line": np.arange(500.0)[:, None] * [1, 2, 3],
        "a grid": np.indices((8, 8, 8)).reshape(3, -1).T.astype(float),
    }[shape]
    tree = build_tree(coord)
    table = query_tree(tree.point, tree.start, tree.stop, tree.box, 5)
    found = np.linalg.norm(tree.point[table] - tree.point[:, None], axis=-1)
    expected = cKDTree(tree.point).query(tree.point, 5)[0]
    np.testing.assert_allclose(found, expected)
    assert all(len(set(row)) == 5 for row in table)


def test_duplicates_and_bad_points_are_left_out_once():
    coord = np.random.default_rng(0).normal(size=(50, 3))
    coord[7], coord[9] = np.nan, np.inf
    coord[20] = coord[3]
    coord[21], coord[30] = [0.0, 1, 2], [-0.0, 1, 2]  # one place, two bit patterns
    cloud = Cloud(coord)
    assert sorted(cloud.rows) == sorted(set(range(50)) - {7, 9, 20, 30})
    region = cloud.spread(np.arange(len(cloud)))
    assert region.dtype == np.int32 and (region[[7, 9]] == -1).all()
    assert region[20] == region[3] and region[30] == region[21]
    finite = region >= 0
    np.testing.assert_array_equal(cloud.coord[region[finite]], coord[finite])
    np.testing.assert_array_equal(cloud.select(coord), cloud.coord)
    with pytest.raises(ValueError, match="got 49 values; the cloud has 50 points"):
        cloud.select(coord[1:])


@pytest.mark.parametrize("scale", [1, 1000])
@pytest.mark.parametrize("place", [0, 5.4e6])
def test_placeholders_are_no_measurements(scale, place):
    """Of a room of 5 m, or in a wrong unit; far from the origin, too."""
    coord = scale * np.random.default_rng(4).uniform(0, 5, (300, 3)) + place
    assert is_measured(coord).all()
    for value in (-3.4e38, 1e20, -1e15, 1e17, np.nan, np.inf, -1e9):
        strange = np.concatenate([coord, [[value, value, value], [place, place, value]]])
        assert is_measured(strange).tolist() == [True] * 300 + [False] * 2
    if scale == 1:
        assert is_measured(np.concatenate([coord, [[place + 300, place, place]]])).all()
        assert not is_measured(np.concatenate([coord, [[-9999 - place] * 3]])).all()
    assert is_measured(np.concatenate([coord, np.full((600, 3), 1e20)])).sum() == 300


def test_no_false_alarm_of_duplicates_in_a_large_cloud():
    rng = np.random.default_rng(1)
    coord = (rng.random((100_000, 3)) * 10).astype(np.float32)  # of few bits each
    distinct = np.unique(coord, axis=0).astype(np.float64)
    assert not may_repeat(distinct)
    assert may_repeat(np.concatenate([distinct, distinct[1234:1235]]))


def test_normals_are_estimated_where_missing():
    rng = np.random.default_rng(2)
    coord = rng.uniform(0, 1, (400, 3)) * [1, 1, 0]
    normal = np.tile([0, 1.0, 0], (400, 1))  # on purpose not that of the plane
    normal[:100], normal[100:150], normal[150] = 0, np.nan, [np.inf, 0, 0]
    cloud = Cloud(coord, 5 * normal)
    found = cloud.planes(12)[0]
    missing = cloud.select(np.arange(400)) < 151
    np.testing.assert_allclose(np.abs(found[missing]), [[0, 0, 1]] * 151, atol=1e-9)
    np.testing.assert_array_equal(found[~missing], [[0, 1, 0]] * 249)


def test_estimates_use_more_neighbours_than_growth():
    rng = np.random.default_rng(3)
    coord = rng.uniform(0, 1, (2000, 3)) * [1, 1, 0] + rng.normal(0, 0.01, (2000, 3))
    cloud = Cloud(coord)
    few, many = cloud.planes(12)[0], cloud.planes(FOR_NORMALS)[0]
    np.testing.assert_array_equal(few, many)
    assert np.median(np.abs(many[:, 2])) > 0.97


@pytest.mark.parametrize("spacing", [0.01, 0.02, 0.04, 0.1])
def test_default_sizes_follow_the_spacing(spacing):
    rng = np.random.default_rng(4)
    side = 2 * spacing * np.sqrt(9000)  # as many points per nearest-neighbour distance
    coord = rng.uniform(0, side, (9000, 3)) * [1, 1, 0]
    cloud = Cloud(coord)
    assert cloud.spacing == pytest.approx(spacing, rel=0.1)
    area = cloud.min_size / (9000 / side**2)
    assert cloud.min_size == 6 or area == pytest.approx(0.05, rel=0.2)
    assert cloud.max_distance == 0.02


def test_default_distance_follows_the_noise():
    rng = np.random.default_rng(5)
    flat = rng.uniform(0, 2, (5000, 3)) * [1, 1, 0]
    noise = rng.normal(size=(5000, 1)) * [0, 0, 1]
    assert Cloud(flat + 0.001 * noise).max_distance == 0.02
    assert 0.03 < Cloud(flat + 0.015 * noise).max_distance < 0.08


def test_colors_are_brought_to_one_range():
    color = np.array([[0, 51, 255]])
    expected = [[0, 0.2, 1]]
    for given in (color.astype(np.uint8), color.astype(np.float32), color / 255):
        np.testing.assert_allclose(unit_range(given), expected)


def test_colors_without_a_number_are_the_mean_of_the_others():
    color = np.array([[0.0, 0.5, 1.0], [np.nan, 0, 0], [0.5, 0.5, 0.0], [0, np.inf, 0]])
    expected = [[0, 0.5, 1], [0.25, 0.5, 0.5], [0.5, 0.5, 0], [0.25, 0.5, 0.5]]
    np.testing.assert_allclose(unit_range(color), expected)
    assert unit_range(np.full((4, 3), np.nan)) is None
    assert Cloud(np.eye(3), color=np.full((3, 3), np.nan)).color is None


@pytest.mark.parametrize(
    ("color", "message"),
    [
        (np.array([[0, 0, 65535]], np.uint16), "color goes from 0 to 65535; give uint8"),
        (np.array([[-1.0, 0, 1]]), "color goes from -1.0 to 1.0; give uint8, or floats in 0..1"),
        (np.array([["red", "", ""]]), "color is of type <U3"),
    ],
)
def test_colors_of_no_known_range_are_refused(color, message):
    with pytest.raises(ValueError, match=message):
        unit_range(color)
    assert unit_range(np.array([[1.005, 0.5, -0.005]])).tolist() == [[1, 0.5, 0]]  # rounding


def test_two_scans_on_each_other_are_as_dense_as_both():
    rng = np.random.default_rng(6)
    once = rng.uniform(0, 4, (10_000, 3)) * [1, 1, 0]
    cloud = Cloud(np.concatenate([once, once + rng.normal(0, 1e-5, once.shape)]))
    assert 0.5 < cloud.spacing / Cloud(once).spacing < 1
    assert 1 <= cloud.min_size / Cloud(once).min_size < 4
    small = Cloud(rng.uniform(0, 0.1, (1000, 3)) * [1, 1, 0])
    assert small.min_size == 1000 // 50
    fine = Cloud(rng.uniform(0, 0.4, (80_000, 3)) * [1, 1, 0])
    assert fine.spacing < 0.002 and fine.min_size == 1000


def test_points_on_a_line_have_no_normal():
    place = np.random.default_rng(7).uniform(0, 5, 500)
    line = np.float32(place[:, None] * [0.3, 0.5, 0.8] + 20)
    assert not Cloud(line).planes(12)[0].any()


def test_one_query_serves_all(monkeypatch):
    coord = np.random.default_rng(8).uniform(0, 1, (600, 3)) * [1, 1, 0.1]
    asked = []

    def count(*arguments):
        asked.append(arguments[-1])
        return query_tree(*arguments)

    monkeypatch.setattr("pointcept_wsegpc.regions.cloud.query_tree", count)
    for i, normal in enumerate((None, np.zeros((600, 3)), np.tile([0, 0, 1.0], (600, 1)))):
        partition(coord, normal)
        assert len(asked) == i + 1
    np.testing.assert_array_equal(partition(coord, 0 * coord), partition(coord))


def test_no_table_is_made_that_no_memory_holds():
    coord = np.random.default_rng(9).uniform(0, 1, (2000, 3)) * [1, 1, 0]
    with pytest.raises(ValueError, match="neighbours is 2000000; give at most 1000"):
        partition(coord, neighbours=2_000_000)
    with pytest.raises(ValueError, match="give a number up to 2147483647"):
        partition(coord, min_size=10**30)
    assert (partition(coord, min_size=2**31 - 1) == -1).all()
    assert (
        partition(coord[:10], np.tile([0, 0, 1], (10, 1)), neighbours=999, min_size=3) == 0
    ).all()


@pytest.mark.parametrize("scale", [1e-300, 1e-40, 1e29, 1e200])
@pytest.mark.parametrize("method", ["growing", "graph"])
def test_no_scale_is_too_small_or_too_large(method, scale):
    coord = np.random.default_rng(10).uniform(0, 1, (300, 3)) * [1, 1, 0.2]
    region = partition(coord * scale, None, None, method, fill=True)
    np.testing.assert_array_equal(np.unique(region[region >= 0]), range(region.max() + 1))
    if scale == 1e200:
        assert (region == -1).all()  # as good as infinite


def test_the_order_of_many_points_does_not_matter():
    rng = np.random.default_rng(11)
    floor = rng.uniform(0, 3, (12_000, 3)) * [1, 1, 0]
    coord = np.concatenate([floor, floor[:6000, [2, 0, 1]] + [0, 0.013, 0.017]])
    order = rng.permutation(len(coord))
    assert Cloud(coord).spacing == Cloud(coord[order]).spacing
    for method in ("growing", "supervoxel", "graph"):
        some, other = partition(coord, method=method)[order], partition(coord[order], method=method)
        assert adjusted_rand_index(some, other) > 0.99


@pytest.mark.parametrize(
    ("factor", "remedy"), [(1000, "divide millimeters by 1000"), (1e-3, "scale the cloud")]
)
def test_a_cloud_in_another_unit_is_warned_of(caplog, factor, remedy):
    coord = np.random.default_rng(12).uniform(0, 1, (2000, 3)) * [1, 1, 0]
    partition(coord)
    assert not caplog.messages
    partition(coord * factor)
    assert len(caplog.messages) == 1 and remedy in caplog.messages[0]
