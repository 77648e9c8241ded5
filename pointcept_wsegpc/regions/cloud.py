"""What a partition method gets to see of a cloud. N points given, M distinct finite ones of them.

A method is a function of a Cloud and of its own settings that returns a region per row, (M,) with
-1 = unassigned. It never meets a NaN, a duplicate, a normal of length 0 or a colour of unknown
range: those are dealt with here, once. `views.DepthView` is the same for the pixels of a view.
"""

from __future__ import annotations

import logging
from functools import cached_property

import numpy as np

from pointcept_wsegpc.regions.kd_tree import build_tree, query_tree
from pointcept_wsegpc.regions.kernels import local_planes

FOR_NORMALS = 32  # neighbours that a normal is estimated from; more cost time and gain little
FOR_NOISE = 12
SPACING_SAMPLE = 10_000
LIKELY_SPACING = (0.0005, 0.5)  # metres; outside, the unit is likely wrong
# Multipliers of a hash of three numbers, without order or meaning.
ODD = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)

logger = logging.getLogger(__name__)


class Cloud:
    """M points with normals, colours and neighbours, in an order in which near ones lie together.

    coord (N,3) in metres; normal (N,3) of any length, or None; color (N,3), uint8, or floats in
    0..1 or 0..255, or None. Points with a NaN or infinite coordinate are left out. Of points at one
    and the same place the first stands for all.
    """

    def __init__(self, coord, normal=None, color=None):
        coord = np.ascontiguousarray(coord, dtype=np.float64)
        self.shape = (len(coord),)  # of what `spread` returns
        rows, self._place = distinct_rows(coord)
        self._tree = build_tree(coord if len(rows) == len(coord) else coord[rows])
        self.coord = self._tree.point  # (M,3) metres
        self.rows = rows[self._tree.index]  # (M,) which of the N points each row is
        self.color = None if color is None else unit_range(color)[self.rows]  # (M,3) in 0..1
        self._fits = {}  # k -> normals and unevenness from k neighbours
        self.given_normal = None if normal is None else unit(normal[self.rows])  # (M,3), 0 = none

    def __len__(self):
        return len(self.coord)

    def neighbours(self, k):
        """(M, k+1) int32: every row with its k nearest, itself first; -1 = no more.

        Ask for the largest k first: a smaller one is a part of it.
        """
        if not hasattr(self, "_table") or self._table.shape[1] <= k:
            tree = self._tree
            self._table = query_tree(self.coord, tree.start, tree.stop, tree.box, k + 1)
        return self._table[:, : k + 1]

    def planes(self, k):
        """Normal (M,3) and unevenness (M,) of the k nearest neighbours: see `local_planes`.

        Normals have length 1 and any sign: as given, estimated where missing. Noise tilts a plane
        through few points, so estimates take FOR_NORMALS neighbours, and so does unevenness if all
        normals are estimates.
        """
        given = self.given_normal
        if given is None:
            return self._fit(max(k, FOR_NORMALS))
        missing = ~given.any(axis=1, keepdims=True)
        if not missing.any():
            return given, self._fit(k)[1]
        return np.where(missing, self._fit(max(k, FOR_NORMALS))[0], given), self._fit(k)[1]

    def _fit(self, k):
        if k not in self._fits:
            self._fits[k] = local_planes(self.coord, self.neighbours(k))
        return self._fits[k]

    @cached_property
    def spacing(self):
        """Median distance in metres from a point to its nearest neighbour; 0 for fewer than 2.

        Every so many-th of more than SPACING_SAMPLE points is asked.
        """
        if len(self) < 2:
            return 0.0
        rows = np.arange(0, len(self), max(1, len(self) // SPACING_SAMPLE))
        nearest = self.neighbours(1)[rows, 1]
        return float(np.median(np.linalg.norm(self.coord[rows] - self.coord[nearest], axis=1)))

    def check_unit(self):
        """Warn, in the log, where the spacing tells that coordinates are not metres."""
        if len(self) > 1 and not LIKELY_SPACING[0] <= self.spacing <= LIKELY_SPACING[1]:
            logger.warning(
                "points lie %.3g apart; scans in metres have 0.005 to 0.1: is the unit metres? "
                "Divide millimetres by 1000",
                self.spacing,
            )

    @cached_property
    def max_distance(self):
        """Default of how far in metres a point may be off its region's plane: what noise explains.

        Noise shows as the unevenness of most points. Pictures and doors lie about 2 cm off the
        wall, so a bound below that gains nothing.
        """
        unevenness = self._fit(FOR_NOISE)[1]
        unevenness = unevenness[np.isfinite(unevenness)]
        return max(0.02, 3.0 * float(np.median(unevenness))) if len(unevenness) else 0.02

    @property
    def min_size(self):
        """Default of the fewest points of a region: 0.05 square metres of surface, at least 6.

        Points on a surface lie about twice as far apart as nearest neighbours do.
        """
        spacing = self.spacing
        return max(6, round(0.05 / (2.0 * spacing) ** 2)) if spacing else 6

    def tolerance(self, max_distance):
        """(M,) how far in metres a point may be off the plane of the region that takes it."""
        return np.full(len(self), float(max_distance))

    def select(self, array):
        """The rows (M, ...) of something that is there for every point, (N, ...)."""
        array = np.asarray(array)
        if array.shape[: len(self.shape)] != self.shape:
            raise ValueError(f"got {array.shape[0]} values; the cloud has {self.shape[0]} points")
        return array[self.rows]

    def spread(self, region):
        """Regions (N,) int32 of all points from those of the rows (M,); -1 for what was left out.

        Points at one place share their region.
        """
        distinct = np.full(len(self) + 1, -1, np.int32)
        distinct[self._tree.index] = region
        return distinct[self._place]


def distinct_rows(coord):
    """Indices (M,) of the finite and distinct points of (N,3), and for each of the N points its
    place in them (N,); M = left out.
    """
    finite = np.isfinite(coord).all(axis=1)
    rows = np.flatnonzero(finite)
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


def may_repeat(coord):
    """Whether any two of the points (M,3) are equal; now and then True although none are."""
    bits = (np.ascontiguousarray(coord) + 0.0).view(np.uint64)  # + 0.0: -0 and 0 are one place
    bits ^= bits >> np.uint64(29)  # float32 left the lower bits empty
    key = np.sort((bits * ODD).sum(axis=1, dtype=np.uint64))
    return bool((key[1:] == key[:-1]).any())


def unit(normal):
    """Normals (M,3) at length 1, in float64; zero, NaN and infinite ones become zero."""
    normal = np.asarray(normal, dtype=np.float64)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    usable = np.isfinite(length) & (length > 0)
    return np.divide(normal, length, out=np.zeros_like(normal), where=usable)


def unit_range(color):
    """Colours (N,3) in 0..1 as float64, from uint8 or from floats in 0..1 or 0..255."""
    color = np.asarray(color)
    if color.dtype.kind != "f":
        return color / 255.0
    return color.astype(np.float64) / (255.0 if color.max(initial=0.0) > 1.0 else 1.0)
