"""Numbering of ids: from 0, without gaps, -1 for none. N points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def compact_ids(ids: np.ndarray) -> np.ndarray:
    """Ids (N,) int32 from 0 without gaps, in the order of the given ones; -1 for negative ones."""
    result = np.full(len(ids), -1, dtype=np.int32)
    assigned = ids >= 0
    result[assigned] = np.unique(ids[assigned], return_inverse=True)[1].reshape(-1)
    return result


def join_ids(ids: Sequence[np.ndarray]) -> np.ndarray:
    """Concatenate id arrays whose ids each start at 0 (-1 = none) so that no two collide."""
    joined, start = [], 0
    for part in ids:
        joined.append(np.where(part < 0, -1, part + start))
        start += int(part.max(initial=-1)) + 1
    return np.concatenate(joined)
