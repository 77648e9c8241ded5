"""Regions from ground truth, on hand-made scenes."""

import numpy as np
import pytest

from pointcept_wsegpc.contracts.classes import IGNORE
from pointcept_wsegpc.regions import partition, partition_view
from pointcept_wsegpc.regions.oracle import MAX_LINK

FLOOR, CHAIR, TABLE = 1, 4, 6


def oracle(coord, **labels):
    return partition(np.asarray(coord, dtype=float), method="oracle", **labels)


def grid(columns, rows, z=0.0, step=0.1):
    """(rows * columns, 3): points on a level square grid, a bit askew to leave no ties."""
    y, x = np.indices((rows, columns)).reshape(2, -1) * step
    coord = np.stack([x, y, np.full(len(x), z)], axis=1)
    return coord + np.random.default_rng(0).uniform(-0.01, 0.01, coord.shape)


@pytest.fixture
def two_chairs():
    """A floor with two seats 0.4 m above it and 0.5 m apart; class and object of every point."""
    seat = grid(6, 6, z=0.4)
    coord = np.concatenate([grid(20, 10), seat, seat + np.array([1.0, 0, 0])])
    segment = np.repeat([FLOOR, CHAIR, CHAIR], [200, 36, 36])
    return coord, segment, np.repeat([0, 1, 2], [200, 36, 36])


def test_instances_split_chairs_that_touch(two_chairs):
    coord, segment, instance = two_chairs
    coord[instance == 2] -= [0.4, 0, 0]  # 0.1 m from seat to seat, as between their points
    joined = oracle(coord, segment=segment)
    assert len(np.unique(joined[segment == CHAIR])) == 1
    split = oracle(coord, segment=segment, instance=instance)
    assert split.max() == 2
    assert not set(split[instance == 1]) & set(split[instance == 2])


def test_touching_classes_separate_and_ignored_points_stay_out():
    coord = grid(10, 10)
    segment = np.repeat([FLOOR, IGNORE, TABLE], [40, 20, 40])
    region = oracle(coord, segment=segment, instance=np.zeros(100, int))
    np.testing.assert_array_equal(region == IGNORE, segment == IGNORE)
    assert region.max() == 1 and region.dtype == np.int32
    for name in (FLOOR, TABLE):
        assert len(np.unique(region[segment == name])) == 1
    # A strip of ignored points parts what is the same on both sides.
    same = np.where(segment == IGNORE, IGNORE, FLOOR)
    assert oracle(coord, segment=same, neighbours=4).max() == 1
    assert (oracle(coord, segment=np.full(100, IGNORE)) == IGNORE).all()


def components_by_definition(coord, segment, neighbours):
    """Region (N,) by first appearance of points linked to their nearest ones of their class."""
    distance = np.linalg.norm(coord[:, None] - coord, axis=-1)
    near = np.argsort(distance, axis=1, kind="stable")[:, 1 : neighbours + 1]
    length = np.take_along_axis(distance, near, axis=1)
    middle = length[:, (neighbours - 1) // 2]
    linked = [set() for _ in coord]
    for a, row in enumerate(near):
        for b in row:
            short = distance[a, b] <= MAX_LINK * min(middle[a], middle[b])
            if short and segment[a] == segment[b]:
                linked[a].add(b), linked[b].add(a)
    region, count = np.full(len(coord), -1), 0
    for seed in range(len(coord)):
        if region[seed] >= 0 or segment[seed] == IGNORE:
            continue
        members = [seed]
        for i in members:  # grows while it is walked
            region[i] = count
            members += [j for j in linked[i] if j not in members]
        count += 1
    return region


@pytest.mark.parametrize("neighbours", [1, 4, 8])
def test_agrees_with_the_definition_spelt_out(neighbours):
    rng = np.random.default_rng(4)
    coord = np.concatenate([rng.uniform(0, size, (60, 3)) for size in (1, 3, 9)])
    segment = rng.integers(-1, 2, 180)
    expected = components_by_definition(coord, segment, neighbours)
    region = oracle(coord, segment=segment, neighbours=neighbours)
    assert 8 < expected.max() < 150
    pairs = np.unique(np.stack([region, expected]), axis=1)
    assert pairs.shape[1] == expected.max() + 2 == region.max() + 2  # one to one


def test_points_that_are_left_out_keep_labels_aligned():
    coord = np.insert(grid(4, 4), 3, np.nan, axis=0)
    coord = np.concatenate([coord, coord[:1]])  # and the first one twice
    segment = np.repeat([FLOOR, TABLE], 9)
    region = oracle(coord, segment=segment)
    assert region[3] == -1 and region[17] == region[0]
    assert len(np.unique(np.delete(region, 3))) == 2


def test_view_with_two_chairs_one_behind_the_other():
    depth = np.full((30, 40), 4.0)
    segment = np.full((30, 40), FLOOR)
    depth[10:25, 5:20], depth[5:20, 20:35] = 2.0, 2.6
    segment[10:25, 5:20] = segment[5:20, 20:35] = CHAIR
    depth[0, 0], segment[1, 1] = 0, IGNORE
    intrinsic = [[36, 0, 19.5], [0, 36, 14.5], [0, 0, 1]]
    region = partition_view(depth, intrinsic, method="oracle", segment=segment)
    assert region[0, 0] == region[1, 1] == -1
    assert region.max() == 2
    near, far = region[10:25, 5:20], region[5:20, 20:35]
    assert (near == near[0, 0]).all() and (far == far[0, 0]).all() and near[0, 0] != far[0, 0]


@pytest.mark.parametrize(
    "labels, message",
    [
        ({"segment": np.zeros(3, int)}, "got 3 values; the cloud has 4 points"),
        ({"segment": np.zeros(4, int), "instance": np.zeros(5, int)}, "got 5 values"),
        ({"segment": np.zeros(4)}, r"segment is float64 of shape \(4,\); expected 4 integers"),
        ({"segment": np.zeros((4, 1), int)}, r"segment is int64 of shape \(4, 1\)"),
        ({"segment": np.zeros(4, int), "neighbours": 0}, "neighbours is 0"),
    ],
)
def test_wrong_labels_are_named(labels, message):
    with pytest.raises(ValueError, match=message):
        oracle(np.random.default_rng(2).normal(size=(4, 3)), **labels)
