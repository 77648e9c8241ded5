"""ScanNet's 20 classes, and the NYU40 ids that its label files number them by."""

from __future__ import annotations

import numpy as np

from ...contracts.classes import IGNORE, ClassTable

TABLE = ClassTable.shipped("scannet20")
# Of each class of the table, as the ScanNet v2 benchmark has them.
NYU40_IDS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 24, 28, 33, 34, 36, 39)


def nyu40_to_scannet20(nyu40: np.ndarray) -> np.ndarray:
    """Map NYU40 ids of any shape to 0..19; every other id (0, 13, stray 50 or 149) to IGNORE.

    Returns int16 of the same shape.
    """
    nyu40 = np.asarray(nyu40)
    table = np.full(256, IGNORE, dtype=np.int16)
    table[list(NYU40_IDS)] = np.arange(len(NYU40_IDS))
    known = (nyu40 >= 0) & (nyu40 < len(table))
    return np.where(known, table[np.where(known, nyu40, 0)], IGNORE).astype(np.int16)
