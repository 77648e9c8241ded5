"""How far apart the points of a cloud are."""

import math

import numpy as np
from scipy.spatial import cKDTree

LIKELY_SPACING = (0.0005, 0.5)  # metres; outside, the unit is likely wrong


def median_distance(coord, other):
    """Median distance from the points (M,3) to others (M,), given by their rows."""
    step = np.take(coord, other, axis=0)
    step -= coord
    return math.sqrt(np.median(np.einsum("ij,ij->i", step, step)))


def reach_of_points(coord, neighbours=4):
    """Radius (M,) m of the disc that each point stands for: the distance to its 4th neighbour."""
    if len(coord) <= neighbours:
        return np.full(len(coord), 0.02)
    distance = cKDTree(coord).query(coord, k=neighbours + 1)[0][:, -1]
    return np.minimum(distance, 4 * np.median(distance))  # a stray point is not a wall
