"""Cleaning of a cloud's arrays, in one place: NaN, duplicates, lengths, ranges.

N points given, M distinct finite ones of them.
"""

from __future__ import annotations

import numpy as np

MAX_COORD = 1e30  # meters; beyond, a coordinate is as good as infinite: its powers overflow
MIN_FLOAT, MAX_FLOAT = -0.01, 1.01  # tolerance for rounding of floats in 0..1
# Meters from the median point beyond which a point of a small, and of any, scan is a placeholder.
FARTHEST = (1e3, 1e5)
SAMPLE = 100_000  # points that stand for all
EARTH = 1e8  # meters from the origin of any frame, beyond all coordinates on Earth
# Multipliers of a hash of three numbers, without order or meaning.
ODD = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)


def is_finite(coord: np.ndarray) -> np.ndarray:
    """(N,) which of the points (N,3) have coordinates that can be computed with."""
    return (np.abs(coord) < MAX_COORD).all(axis=1)


def is_measured(coord: np.ndarray) -> np.ndarray:
    """(N,) which of the points (N,3) m are finite and no farther away than a scan can reach.

    What scanners write for "no return" (-3.4e38, 1e20, -9999) may not move the other points. A
    cloud in a wrong unit is large as a whole: none of it is far from the rest.
    """
    finite = np.isfinite(coord).all(axis=1)
    near = finite & (np.abs(coord) < EARTH).all(axis=1)
    if not finite.any():
        return finite
    row = np.flatnonzero(near if near.any() else finite)
    some = coord[row[:: -(-len(row) // SAMPLE)]]
    low, middle, high = np.quantile(some, (0.25, 0.5, 0.75), axis=0)
    spread = (high - low).max()
    reach = max(20 * spread, np.clip(1000 * spread, *FARTHEST))
    with np.errstate(invalid="ignore", over="ignore"):  # of what is not finite
        return finite & (np.abs(coord - middle) <= reach).all(axis=1)


def distinct_rows(coord: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices (M,) of the finite and distinct points of (N,3), and for each of the N points its
    place in them (N,), M for the others.
    """
    rows = np.flatnonzero(is_finite(coord))
    place = np.full(len(coord), len(rows))
    some = coord if len(rows) == len(coord) else coord[rows]
    if not may_repeat(some):
        place[rows] = np.arange(len(rows))
        return rows, place
    _, first, inverse = np.unique(some, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)  # by first appearance
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    place[:] = len(order)
    place[rows] = rank[inverse.ravel()]
    return rows[first[order]], place


def may_repeat(coord: np.ndarray) -> bool:
    """Whether any two of the points (M,3) are equal; now and then True although none are."""
    bits = (np.ascontiguousarray(coord) + 0.0).view(np.uint64)  # + 0.0: -0 and 0 are one place
    bits ^= bits >> np.uint64(29)  # float32 left the lower bits empty
    key = np.sort((bits * ODD).sum(axis=1, dtype=np.uint64))
    return bool((key[1:] == key[:-1]).any())


def unit(normal: np.ndarray) -> np.ndarray:
    """Normals (M,3) at length 1, in float64; zero, NaN and infinite ones become zero."""
    normal = np.asarray(normal, dtype=np.float64)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    usable = np.isfinite(length) & (length > 0)
    return np.divide(normal, length, out=np.zeros_like(normal), where=usable)


def unit_range(color: np.ndarray) -> np.ndarray | None:
    """Colors (N,3) in 0..1 as float64, from whole numbers 0..255 or floats in 0..1 or 0..255.

    A color that is NaN or infinite becomes the mean of the others; None where there are none.
    Raises ValueError for another type or range.
    """
    color = np.asarray(color)
    if color.dtype.kind not in "uif":
        raise ValueError(f"color is of type {color.dtype}; give uint8, or floats in 0..1 or 0..255")
    finite = np.isfinite(color).all(axis=-1)
    if not finite.any():
        return None
    if not finite.all():
        color = np.where(finite[..., None], color, color[finite].mean(axis=0))
    low, high = color.min(), color.max()
    if low < MIN_FLOAT or high > 255:
        raise ValueError(
            f"color goes from {low} to {high}; give uint8, or floats in 0..1 or 0..255"
        )
    whole = color.dtype.kind != "f" or high > MAX_FLOAT
    return np.clip(color / (255.0 if whole else 1.0), 0.0, 1.0)
