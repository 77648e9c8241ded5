"""Agreement of partitions, for comparisons of methods. N points."""

from __future__ import annotations

import numpy as np


def adjusted_rand_index(a: np.ndarray, b: np.ndarray) -> float:
    """Agreement of two partitions a, b (N,), whatever their ids: 1 = the same, 0 = as by chance.

    Of all pairs of points, those that both put together, against what is expected of random
    partitions with groups of these sizes (Hubert & Arabie, J. Classification 1985). Every id is a
    group; -1 too. NaN for no points.
    """
    a, b = np.ravel(a), np.ravel(b)
    if len(a) != len(b):
        raise ValueError(f"got {len(a)} and {len(b)} ids; lengths must match")
    if not len(a):
        return float("nan")
    (rows, a), (cols, b) = (np.unique(x, return_inverse=True) for x in (a, b))
    together, in_a, in_b, total = (
        (counts * (counts - 1.0) / 2).sum()
        for counts in (
            np.unique(a * len(cols) + b, return_counts=True)[1],
            np.bincount(a, minlength=len(rows)),
            np.bincount(b, minlength=len(cols)),
            np.array([len(a)]),
        )
    )
    if in_a == in_b == together:  # the same, also where there are no pairs or all are together
        return 1.0
    expected = in_a * in_b / total
    return float((together - expected) / ((in_a + in_b) / 2 - expected))
