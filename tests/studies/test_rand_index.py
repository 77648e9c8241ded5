"""Agreement of partitions, against all pairs of points."""

import numpy as np
import pytest

from benchmarks.rand_index import adjusted_rand_index


@pytest.mark.parametrize("seed", range(3))
def test_adjusted_rand_index_against_pairs(seed):
    rng = np.random.default_rng(seed)
    a = rng.integers(-1, 6, 60)
    b = np.where(rng.random(60) < 0.5, a, rng.integers(-1, 4, 60))
    i, j = np.triu_indices(60, 1)
    in_a, in_b = a[i] == a[j], b[i] == b[j]
    expected = in_a.mean() * in_b.mean()
    index = ((in_a & in_b).mean() - expected) / ((in_a.mean() + in_b.mean()) / 2 - expected)
    assert adjusted_rand_index(a, b) == pytest.approx(index)
    assert adjusted_rand_index(b, a) == pytest.approx(index)
    assert adjusted_rand_index(10**9 - 7 * a, b) == pytest.approx(index)  # ids are only names


def test_adjusted_rand_index_by_hand():
    for a, b, index in (
        ([0, 0, 1, 1], [5, 5, -1, -1], 1),
        ([0, 0, 1, 1], [0, 0, 0, 1], 0),  # 1 pair together of 2 and 3, expected 2 * 3 of 6
        ([0, 0, 1, 1], [0, 1, 0, 1], -0.5),
        (np.zeros(5), np.arange(5), 0),
        (np.zeros(5), np.zeros(5), 1),
        (np.arange(5), np.arange(5), 1),
        ([3], [-1], 1),
    ):
        assert adjusted_rand_index(a, b) == pytest.approx(index)
    assert np.isnan(adjusted_rand_index([], []))
    with pytest.raises(ValueError, match="got 2 and 3 ids"):
        adjusted_rand_index([0, 1], [0, 1, 2])
