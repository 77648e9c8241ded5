"""What every partition method keeps to, whatever the cloud or the view."""

import importlib.util

import numpy as np
import pytest

from pointcept_wsegpc.regions import PARTITIONS, partition, partition_view
from pointcept_wsegpc.regions.cloud import Cloud

OF_THE_CLOUD = [name for name in PARTITIONS.names() if name not in ("file", "oracle")]
CLOUDS = {
    "none": np.zeros((0, 3)),
    "one": np.zeros((1, 3)),
    "two": np.eye(3)[:2],
    "fewer than k": np.random.default_rng(0).normal(size=(5, 3)),
    "one place": np.ones((40, 3)),
    "a line": np.linspace(0, 1, 200)[:, None] * [1, 2, 3],
    "a plane": np.random.default_rng(1).uniform(0, 1, (500, 3)) * [1, 1, 0],
    "a grid": np.indices((12, 12, 3)).reshape(3, -1).T * 0.02,
    "far away": np.random.default_rng(2).uniform(0, 1, (500, 3)) * [1, 1, 0.01] + 1e6,
    "an outlier": np.concatenate([np.random.default_rng(3).uniform(0, 1, (300, 3)), [[1e7, 0, 0]]]),
    "no number": np.full((10, 3), np.nan),
    "tiny": np.random.default_rng(5).uniform(0, 1e-40, (300, 3)) * [1, 1, 0.1],
    "smaller": np.random.default_rng(6).uniform(0, 1e-200, (300, 3)) * [1, 1, 0.1],
    "denormal": np.random.default_rng(7).integers(0, 50, (300, 3)) * 5e-324,
    "huge": np.random.default_rng(8).uniform(-1e30, 1e30, (300, 3)) * [1, 1, 0.1],
}


@pytest.fixture(params=OF_THE_CLOUD)
def method(request):
    if request.param == "cgal" and importlib.util.find_spec("CGAL") is None:
        pytest.skip("needs the optional package cgal")
    return request.param


def check(region, shape):
    assert region.dtype == np.int32 and region.shape == shape
    ids = np.unique(region[region >= 0])
    np.testing.assert_array_equal(ids, np.arange(len(ids)))
    assert region.min(initial=0) >= -1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", CLOUDS)
def test_any_cloud_gets_contiguous_ids(method, name):
    coord = CLOUDS[name]
    normal = np.tile([0, 0, 1.0], (len(coord), 1))
    color = np.random.default_rng(4).integers(0, 256, coord.shape).astype(np.uint8)
    for arrays in ((None, None), (normal, color), (0 * normal, None), (np.nan * normal, color)):
        region = partition(coord, *arrays, method)
        check(region, (len(coord),))
        np.testing.assert_array_equal(region, partition(coord.copy(), *arrays, method))
        filled = partition(coord, *arrays, method, fill=True)
        check(filled, (len(coord),))
        assert (filled >= 0).all() or (region == -1).all()
        if name in ("a plane", "far away"):
            assert (region >= 0).mean() > 0.9
        if name == "no number":
            assert (filled == -1).all()


@pytest.mark.filterwarnings("error")
def test_any_view_gets_contiguous_ids(method):
    rng = np.random.default_rng(5)
    intrinsic = np.array([[40.0, 0, 31.5], [0, 40, 23.5], [0, 0, 1]])
    steps = 1 + np.indices((48, 64)).sum(0) // 20 * 0.5
    holes = np.where(rng.random((48, 64)) < 0.3, 0, steps)
    wild = rng.choice([0, -1, np.nan, np.inf, 1, 1e9], (48, 64))
    color = rng.integers(0, 256, (48, 64, 3)).astype(np.uint8)
    for depth in (steps, holes, wild, 0 * steps, steps[:0], steps[:1], steps[:, :1]):
        region = partition_view(depth, intrinsic, color[: depth.shape[0], : depth.shape[1]], method)
        check(region, depth.shape)
        assert (region[~(np.isfinite(depth) & (depth > 0))] == -1).all()
        if depth is steps:
            assert (region >= 0).mean() > 0.9 and region.max() >= 3


@pytest.mark.parametrize("name", PARTITIONS.names())
def test_presets_fit_the_settings(name):
    entry = PARTITIONS.get(name)
    for preset in entry.presets:
        given = {"path": "ids.npy"} if name == "file" else None
        assert entry.resolve(preset, given).name == name
    if name in ("growing", "graph"):
        assert entry.resolve("indoor") == entry.resolve()


def test_a_preset_gives_way_to_settings():
    coord = np.random.default_rng(6).uniform(0, 1, (1000, 3)) * [1, 1, 0.3]
    wypr = partition(coord, preset="wypr")
    np.testing.assert_array_equal(
        wypr, partition(coord, neighbours=12, max_distance=2, max_angle=20, min_size=50, fill=True)
    )
    assert (partition(coord, preset="wypr", fill=False) == -1).any()
    assert (partition(coord, preset="wypr", min_size=1001) == -1).all()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"method": "magic"}, "'magic'"),
        ({"coord": np.zeros((4, 2))}, r"\(4, 2\)"),
        ({"normal": np.zeros((3, 3))}, r"\(3, 3\).*\(4, 3\)"),
        ({"color": np.zeros(4)}, r"color has shape \(4,\)"),
        ({"preset": "segmentator"}, "wypr"),
        ({"method": "oracle", "preset": "wypr"}, "'wypr'"),
        ({"angle": 3}, "max_distance"),
        ({"max_angle": 91}, "max_angle is 91"),
        ({"max_angle": "wide"}, "'wide'"),
        ({"max_angle": None}, "max_angle is None"),
        ({"max_distance": 0.0}, "max_distance is 0.0"),
        ({"max_distance": float("nan")}, "max_distance is nan"),
        ({"min_size": 0}, "min_size is 0"),
        ({"min_size": 2.5}, "min_size is 2.5"),
        ({"neighbours": 2}, "neighbours is 2"),
        ({"neighbours": True}, "neighbours is True"),
        ({"method": "graph", "convex": 1}, "convex is 1"),
        ({"method": "oracle"}, "segment"),
        ({"method": "file"}, "path"),
        ({"method": "file", "path": 3}, "path is 3"),
        ({"method": "graph", "min_size": 10**400}, "2147483647"),
    ],
)
def test_wrong_arguments_get_one_line(arguments, named):
    with pytest.raises(ValueError, match=named) as error:
        partition(**{"coord": np.zeros((4, 3)), **arguments})
    assert "\n" not in str(error.value)


def test_the_largest_whole_numbers_are_settings(method):
    """They take neither the time nor the memory that they stand for."""
    coord = np.random.default_rng(9).uniform(0, 1, (60, 3)) * [1, 1, 0.1]
    fields = vars(PARTITIONS.get(method).resolve().settings)
    names = {"neighbours", "min_size", "rounds"} & fields.keys()
    assert names
    for name in names:
        largest = {"neighbours": 1000, "rounds": 1000}.get(name, 2**31 - 1)
        region = partition(coord, method=method, **{name: largest})
        check(region, (60,))
        if name == "min_size":
            assert (region == -1).all()
        if name == "neighbours":
            np.testing.assert_array_equal(region, partition(coord, method=method, neighbours=59))


def test_what_the_data_decide_is_what_the_methods_take():
    coord = np.random.default_rng(7).uniform(0, 1, (3000, 3)) * [1, 1, 0]
    cloud = Cloud(np.concatenate([coord, coord[:, [2, 0, 1]]]))
    for method in ("growing", "graph", "supervoxel", "supervoxel+growing"):
        plan = PARTITIONS.get(method).resolve()
        expected, derived = plan(cloud)
        left = {key for key, value in vars(plan.settings).items() if value is None}
        assert set(derived) == left - {"mesh"}
        region, more = PARTITIONS.get(method).resolve(given=derived)(cloud)
        assert more == {}
        np.testing.assert_array_equal(region, expected)
