"""How far apart the points of a cloud are. N points; meters."""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial import cKDTree

# Outside of these the unit of a cloud is likely not the meter.
LIKELY_SPACING = (0.0005, 0.5)  # from a point to its nearest neighbour
LIKELY_EXTENT = (0.5, 300.0)  # the longest side of the bounding box

DISC_NEIGHBOURS, DISC_OF_FEW = 4, 0.02


def spacing(coord: np.ndarray, sample: int = 1000) -> float:
    """Median distance in m from points (N, 3) to their nearest neighbours; 0 for fewer than 2.

    About `sample` of the points are asked, all are possible neighbours.
    """
    if len(coord) < 2:
        return 0.0
    chosen = coord[:: max(len(coord) // sample, 1)]
    return float(np.median(cKDTree(coord).query(chosen, k=2)[0][:, 1]))


def median_distance(coord: np.ndarray, other: np.ndarray) -> float:
    """Median distance in m from the points (M, 3) to others (M,), given by their rows."""
    step = np.take(coord, other, axis=0)
    step -= coord
    return math.sqrt(np.median(np.einsum("ij,ij->i", step, step)))


def reach_of_points(coord: np.ndarray) -> np.ndarray:
    """Radius (N,) m of the disc that each point stands for: the distance to its 4th neighbour."""
    if len(coord) <= DISC_NEIGHBOURS:
        return np.full(len(coord), DISC_OF_FEW)
    distance = cKDTree(coord).query(coord, k=DISC_NEIGHBOURS + 1)[0][:, -1]
    return np.minimum(distance, 4 * np.median(distance))  # a stray point is not a wall
