"""What a partition method gets to see of a cloud. N points given, M distinct finite ones of them.

A method is a function of a Cloud and of its own settings that returns a region per row, (M,) with
-1 = unassigned. It never meets a NaN, a duplicate, a normal of length 0 or a color of unknown
range: those are dealt with here, once. `depth_view.DepthView` is the same for the pixels of a view.
"""

from __future__ import annotations

import logging
import math
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from ..clouds.clean import distinct_rows, is_finite, unit, unit_range
from ..clouds.kd_tree import build_tree, query_tree
from ..clouds.planes import local_planes
from ..clouds.spacing import LIKELY_SPACING, median_distance

FOR_NORMALS = 32  # neighbours that a normal is estimated from; more cost time and gain little
FOR_NOISE = 12
MAX_NEIGHBOURS = 1000  # what a table is made for
# Two scans that lie on each other have neighbours much nearer than most: the spacing is at least
# this share of the side of the square that a point covers, told by its 8 nearest. Random points
# have 0.47, a grid has 1.
MIN_SHARE, FOR_SHARE = 0.4, 8
MAX_MIN_SIZE = 1000  # a region given up has cost as many steps, and so has each of its points

logger = logging.getLogger(__name__)


class Cloud:
    """M points with normals, colors and neighbours, in an order in which near ones lie together.

    coord (N,3) in meters; normal (N,3) of any length, or None; color (N,3), uint8, or floats in
    0..1 or 0..255, or None; arrays by name: what else a method asks for, of all N points or whole,
    such as labels (N,) or faces (F,3). Points with a NaN or infinite coordinate are left out. Of
    points at one and the same place the first stands for all.
    """

    def __init__(self, coord, normal=None, color=None, **arrays):
        self._arrays = arrays
        coord = np.ascontiguousarray(coord, dtype=np.float64)
        self.shape = (len(coord),)  # of what `spread` returns
        rows, self._place = distinct_rows(coord)
        self._tree = build_tree(coord if len(rows) == len(coord) else coord[rows])
        self.coord = self._tree.point  # (M,3) meters
        self.rows = rows[self._tree.index]  # (M,) which of the N points each row is
        color = None if color is None else unit_range(color)
        self.color = None if color is None else color[self.rows]  # (M,3) in 0..1
        self._table = None
        self._fits = {}  # k -> normals and unevenness from k neighbours
        normal = None if normal is None else unit(normal[self.rows])
        known = np.zeros(len(rows), bool) if normal is None else normal.any(axis=1)
        self.given_normal = normal if known.any() else None  # (M,3), 0 = none
        self._wanted = FOR_NOISE if known.all() else FOR_NORMALS

    def __len__(self):
        return len(self.coord)

    def array(self, name):
        """What was given under a name; None where nothing was."""
        own = {"normal": self.given_normal, "color": self.color}
        return own[name] if name in own else self._arrays.get(name)

    def neighbours(self, k):
        """(M, k+1) int32: every row with its k nearest, itself first; -1 = no more.

        There are no more columns than rows. Raises ValueError for k above MAX_NEIGHBOURS.
        """
        if k > MAX_NEIGHBOURS:
            raise ValueError(f"neighbours is {k}; give at most {MAX_NEIGHBOURS}")
        if self._table is None or self._table.shape[1] <= min(k, len(self) - 1):
            k_all = min(max(k, self._wanted), max(len(self) - 1, 0))  # defaults ask for these
            tree = self._tree
            self._table = query_tree(self.coord, tree.start, tree.stop, tree.box, k_all + 1)
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
        """Median distance in meters from a point to its nearest neighbour; 0 for fewer than 2."""
        if len(self) < 2:
            return 0.0
        table = self.neighbours(FOR_SHARE)
        nearest, farthest = (median_distance(self.coord, table[:, i]) for i in (1, -1))
        share = farthest * math.sqrt(math.pi / (table.shape[1] - 1))
        return max(nearest, MIN_SHARE * share)

    def check_unit(self):
        """Warn, in the log, where the spacing tells that coordinates are not meters."""
        if len(self) < 2 or LIKELY_SPACING[0] <= self.spacing <= LIKELY_SPACING[1]:
            return
        large = self.spacing > LIKELY_SPACING[1]
        remedy = "divide millimeters by 1000" if large else "scale the cloud to meters"
        logger.warning(
            "points lie %.3g apart; scans in meters have 0.005 to 0.1: is the unit meters? "
            "Otherwise %s",
            self.spacing,
            remedy,
        )

    @cached_property
    def max_distance(self):
        """Default of how far in meters a point may be off its region's plane: what noise explains.

        Noise shows as the unevenness of most points. Pictures and doors lie about 2 cm off the
        wall, so a bound below that gains nothing.
        """
        unevenness = self._fit(FOR_NOISE)[1]
        unevenness = unevenness[np.isfinite(unevenness)]
        return max(0.02, 3.0 * float(np.median(unevenness))) if len(unevenness) else 0.02

    @property
    def min_size(self):
        """Default of the fewest points of a region: 0.05 square meters of surface.

        Points on a surface lie about twice as far apart as nearest neighbours do. At least 6, at
        most a fiftieth of a small cloud, and never above MAX_MIN_SIZE.
        """
        most = min(len(self) // 50, MAX_MIN_SIZE)
        covering = 0.05 / (2.0 * self.spacing) ** 2 if self.spacing else most
        return max(6, round(min(covering, most)))

    def tolerance(self, max_distance):
        """(M,) how far in meters a point may be off the plane of the region that takes it."""
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


def fill_unassigned(coord: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Give every unassigned point the region of its nearest assigned one, as WyPR does.

    coord (N,3) in meters, region (N,), -1 = unassigned. Returns a new (N,) int32. Points with a
    NaN or infinite coordinate have no neighbours and stay as they are; so do all if no point has
    a region.
    """
    coord, region = np.asarray(coord), np.asarray(region)
    if region.shape != (len(coord),):
        raise ValueError(f"region has shape {region.shape}; coord has {len(coord)} points")
    filled = region.astype(np.int32)
    finite = is_finite(coord)
    assigned = np.flatnonzero(finite & (region >= 0))
    missing = np.flatnonzero(finite & (region < 0))
    if len(assigned) and len(missing):
        _, nearest = cKDTree(coord[assigned]).query(coord[missing])
        filled[missing] = filled[assigned[nearest]]
    return filled
