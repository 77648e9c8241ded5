"""Confusion, IoU, coverage and the metrics of partitions against counting by hand."""

import numpy as np
import pytest

from pointcept_wsegpc.metrics import (
    boundary_counts,
    confusion,
    confusion_with_misses,
    coverage,
    iou,
    majority_vote,
    mean_iou,
    partition_confusion,
    partition_quality,
    scene_confusions,
)

C = 5


def random_labels(seed, n=400):
    rng = np.random.default_rng(seed)
    return rng.integers(-1, C, n), rng.integers(-1, C, n)


def iou_by_sets(pred, target, c):
    intersection = sum(p == c and t == c for p, t in zip(pred, target, strict=True))
    union = sum(p == c or t == c for p, t in zip(pred, target, strict=True))
    return intersection / union if union else np.nan


@pytest.mark.parametrize("seed", range(2))
def test_confusion_and_iou_against_loop(seed):
    pred, target = random_labels(seed)
    expected = np.zeros((C, C), int)
    for p, t in zip(pred, target, strict=True):
        if p != -1 and t != -1:
            expected[t, p] += 1
    counts = confusion(pred, target, C)
    assert counts.dtype == np.int64 and (counts == expected).all()
    valid = (pred != -1) & (target != -1)
    by_sets = [iou_by_sets(pred[valid], target[valid], c) for c in range(C)]
    assert np.allclose(iou(counts), by_sets)
    assert mean_iou(counts) == pytest.approx(np.mean(by_sets))


def test_classes_that_do_not_occur():
    pred, target = np.array([0, 1, 1, 3]), np.array([0, 1, 0, 1])
    counts = confusion(pred, target, C)  # 2, 4: nowhere; 3: predicted only
    assert np.allclose(iou(counts), [1 / 2, 1 / 3, np.nan, 0, np.nan], equal_nan=True)
    assert mean_iou(counts) == pytest.approx((1 / 2 + 1 / 3) / 2)


def test_degenerate_sizes():
    empty = confusion([], [], C)
    assert empty.shape == (C, C) and empty.sum() == 0
    assert np.isnan(iou(empty)).all() and np.isnan(mean_iou(empty))
    assert np.isnan(coverage([])) and coverage([-1, -1]) == 0 and coverage([-1, 2, 0, 0]) == 0.75
    assert confusion([[0, 1]], [[1, 1]], 2).tolist() == [[0, 0], [1, 1]]
    assert np.isnan(partition_quality([], [], C))
    assert np.isnan(partition_quality([0, 0], [-1, -1], C))


@pytest.mark.parametrize(
    ("pred", "target", "message"),
    [
        ([0, 1], [0], "2 predictions for 1 targets"),
        ([5], [0], r"prediction label 5\.\.5 outside 0\.\.4"),
        ([0], [255], r"target label 255\.\.255 outside 0\.\.4"),
        ([-2], [0], r"prediction label -2"),
    ],
)
def test_wrong_labels_are_refused(pred, target, message):
    with pytest.raises(ValueError, match=message):
        confusion(pred, target, C)
    with pytest.raises(ValueError, match="3 region ids for 2 labels"):
        majority_vote([0, 0, 1], [1, 2], C)


def test_another_ignore_label():
    assert confusion([0, 9, 1], [0, 1, 9], 2, ignore=9).tolist() == [[1, 0], [0, 0]]


@pytest.mark.parametrize("seed", range(2))
def test_a_missing_prediction_is_an_error_of_its_class(seed):
    pred, target = random_labels(seed)
    counts = confusion_with_misses(pred, target, C)
    assert counts.shape == (C + 1, C + 1) and counts[C].sum() == 0
    assert counts.sum() == (target != -1).sum()
    labeled = target != -1
    by_sets = [iou_by_sets(pred[labeled], target[labeled], c) for c in range(C)]
    assert np.allclose(iou(counts)[:C], by_sets)
    assert mean_iou(counts) == pytest.approx(np.mean(by_sets))
    named = scene_confusions({"3d": (pred, target), "voted": (target, target)}, C)
    assert (named["3d"] == counts).all() and mean_iou(named["voted"]) == 1


@pytest.mark.parametrize("seed", range(2))
def test_majority_vote_against_loop(seed):
    rng = np.random.default_rng(seed)
    region, segment = rng.integers(-1, 40, 300), rng.integers(-1, C, 300)
    segment[region == 7] = -1  # a region without any label
    region[region == 8] = 9  # an id without points
    expected = np.full(300, -1)
    for r in range(40):
        labels = [s for s in segment[region == r] if s != -1]
        if labels:
            expected[region == r] = min(set(labels), key=lambda s: (-labels.count(s), s))
    assert (majority_vote(region, segment, C) == expected).all()
    quality = partition_quality(region, segment, C)
    by_sets = [iou_by_sets(expected[segment != -1], segment[segment != -1], c) for c in range(C)]
    assert quality == pytest.approx(np.mean(by_sets))


def test_partition_quality_by_hand():
    segment = np.array([0, 0, 1, 1, 1, 2])
    assert partition_quality(segment, segment, C) == 1
    assert partition_quality(np.arange(6), segment, C) == 1
    assert partition_quality(np.zeros(6), segment, C) == pytest.approx((0 + 3 / 6 + 0) / 3)
    assert partition_quality(np.full(6, -1), segment, C) == 0
    # Regions {0 0 1} and {1 1}; the 2 has none: IoU 2/3, 2/3, 0.
    assert partition_quality([0, 0, 0, 1, 1, -1], segment, C) == pytest.approx(4 / 9)


def test_partition_confusions_add_up_over_scenes():
    rng = np.random.default_rng(0)
    region, segment = rng.integers(-1, 9, 200), rng.integers(-1, C, 200)
    region[100:] = np.where(region[100:] >= 0, region[100:] + 9, -1)  # no region in both halves
    parts = partition_confusion(region[:100], segment[:100], C)
    parts = parts + partition_confusion(region[100:], segment[100:], C)
    assert (parts == partition_confusion(region, segment, C)).all()


def recall_by_sets(region, segment, neighbours):
    """The definition of boundary recall, word by word."""
    around = [[int(j) for j in row if j >= 0] for row in neighbours]
    everybody = range(len(region))
    border = {i for i in everybody if any(region[j] != region[i] for j in around[i])}
    boundary = {
        i
        for i in everybody
        if segment[i] != -1
        and any(segment[j] != -1 and segment[j] != segment[i] for j in around[i])
    }
    recalled = {i for i in boundary if border & {i, *around[i]}}
    return len(recalled), len(boundary)


@pytest.mark.parametrize("seed", range(2))
def test_boundary_recall_against_sets(seed):
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(0, 1, 300))  # few classes and regions, so that most have no border
    segment, region = np.digitize(x, [0.3, 0.5]), np.digitize(x, [0.31, 0.7])
    segment[rng.random(300) < 0.1], region[rng.random(300) < 0.02] = -1, -1
    neighbours = np.arange(300)[:, None] + rng.integers(-3, 4, (300, 5))
    neighbours[(neighbours >= 300) | (rng.random((300, 5)) < 0.1)] = -1
    counts = boundary_counts(region, segment, neighbours)
    assert counts == recall_by_sets(region, segment, neighbours)
    assert 0 < counts[0] < counts[1] < 100


def test_boundary_counts_by_hand():
    chain = np.array([[i, i - 1, i + 1 if i < 7 else -1] for i in range(8)])  # 0 has -1, too
    segment = np.array([0, 0, 0, 0, 1, 1, 1, 1])  # 3 and 4 are at the boundary
    recalled = {1: 0, 2: 1, 3: 2, 4: 2, 5: 2, 6: 1, 7: 0}  # region border before point i
    for start, expected in recalled.items():
        region = (np.arange(8) >= start).astype(int)
        assert boundary_counts(region, segment, chain) == (expected, 2), start
    assert boundary_counts(np.zeros(8, int), segment, chain) == (0, 2)
    assert boundary_counts(np.full(8, -1), segment, chain) == (0, 2)
    assert boundary_counts(np.where(segment, -1, 0), segment, chain) == (2, 2)
    assert boundary_counts(np.arange(8), segment, chain) == (2, 2)
    unlabeled = np.where(np.arange(8) == 4, -1, segment)  # keeps the classes apart
    assert boundary_counts(np.arange(8), unlabeled, chain) == (0, 0)
    assert boundary_counts([], [], np.empty((0, 3), int)) == (0, 0)
    with pytest.raises(ValueError, match="8 region ids, 7 labels"):
        boundary_counts(segment, segment[:7], chain)
