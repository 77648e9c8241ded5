"""Numbering of ids: from 0, without gaps, -1 for none."""

import numpy as np


def compact_ids(ids):
    """Renumber ids >= 0 to 0..R-1 in ascending order; negative ids become -1. int64 (N,)."""
    result = np.full(len(ids), -1, dtype=np.int64)
    assigned = ids >= 0
    result[assigned] = np.unique(ids[assigned], return_inverse=True)[1].reshape(-1)
    return result


def renumber(ids):
    """Region (N,) int32 of ids (N,): contiguous in the order of the ids, -1 for negative ones."""
    region = np.full(len(ids), -1, np.int32)
    assigned = ids >= 0
    region[assigned] = np.unique(ids[assigned], return_inverse=True)[1]
    return region


def join_ids(ids):
    """Concatenate id arrays whose ids each start at 0 (-1 = none) so that no two collide."""
    joined, start = [], 0
    for part in ids:
        joined.append(np.where(part < 0, -1, part + start))
        start += int(part.max(initial=-1)) + 1
    return np.concatenate(joined)
