"""How far apart the points of a cloud are. N points; meters."""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial import cKDTree

from .clean import distinct_rows

# Outside of these the unit of a cloud is likely not the meter.
LIKELY_SPACING = (0.0005, 0.5)  # from a point to its nearest neighbour
LIKELY_EXTENT = (0.5, 300.0)  # the longest side of the bounding box

DISC_NEIGHBOURS, DISC_OF_FEW = 4, 0.02


def spacing(coord: np.ndarray, sample: int = 1000) -> float:
    """Median distance in m from points (N, 3) to their nearest neighbours elsewhere; 0 for fewer
    than 2 places.

    About `sample` points are queried against all points.
    """
    coord = np.asarray(coord, dtype=np.float64)
    coord = coord[distinct_rows(coord)[0]]
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
    """Radius (N,) m of the disc that each point stands for: the distance to its 4th neighbour.

    Points at one place are one.
    """
    coord = np.asarray(coord, dtype=np.float64)
    rows, place = distinct_rows(coord)
    if len(rows) <= DISC_NEIGHBOURS:
        return np.full(len(coord), DISC_OF_FEW)
    places = coord[rows]
    distance = cKDTree(places).query(places, k=DISC_NEIGHBOURS + 1)[0][:, -1]
    return np.minimum(distance, 4 * np.median(distance))[place]  # a stray point is not a wall
