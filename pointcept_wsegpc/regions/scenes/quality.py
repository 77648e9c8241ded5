"""Statistics of partitions: number and size of regions, agreement with the labels, speed.

N points (or pixels), R regions, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from ...metrics import boundary_counts, partition_confusion

BOUNDARY_NEIGHBOURS = 8
BY_CLASS = ("intersection", "target", "predicted")
SIZE_BINS = 32  # of region sizes: bin i holds 2^i to 2^(i+1) - 1 points


def no_sizes():
    return np.zeros(SIZE_BINS, np.int64)


def no_points():
    return np.zeros(0, np.int64)  # of nothing labeled, whatever the class table


@dataclass(frozen=True)
class Tally:
    """Counts of one partition, or with `+` of several together, and what follows from them.

    The share of a class that the regions get right is counted as its majority vote does
    (metrics.partition_quality); those three arrays have C + 1 entries, the last of which stands
    for "no region", or none where nothing is labeled.
    """

    partitions: int = 0
    points: int = 0
    unassigned: int = 0
    regions: int = 0
    largest: int = 0  # points of the largest region of each partition
    sizes: np.ndarray = field(default_factory=no_sizes)  # regions by binary logarithm of points
    intersection: np.ndarray = field(default_factory=no_points)
    target: np.ndarray = field(default_factory=no_points)
    predicted: np.ndarray = field(default_factory=no_points)
    boundary: int = 0  # points at a class boundary
    recalled: int = 0  # of them, those with a region border beside them
    seconds: float = 0.0  # of partitioning alone

    def __add__(self, other):
        pairs = {f.name: (getattr(self, f.name), getattr(other, f.name)) for f in fields(self)}
        return Tally(**{k: _sum(*v) if k in BY_CLASS else v[0] + v[1] for k, v in pairs.items()})

    @property
    def median_size(self):
        """Points of the median region, interpolated in its bin of `sizes`; NaN for no region."""
        if not self.regions:
            return float("nan")
        below = np.concatenate([[0], np.cumsum(self.sizes)])
        bin_ = int(np.searchsorted(below[1:], self.regions / 2))
        within = (self.regions / 2 - below[bin_]) / self.sizes[bin_]
        return float(2 ** (bin_ + within))

    @property
    def quality(self):
        """Majority-vote mIoU over the classes that occur; NaN where nothing is labeled."""
        occurs = self.target > 0
        union = self.target + self.predicted - self.intersection
        iou = self.intersection[occurs] / union[occurs]
        return float(iou.mean()) if len(iou) else float("nan")

    def summary(self):
        """What follows from the counts, by name, for JSON; without what has no value."""
        values = {
            "regions": _ratio(self.regions, self.partitions),
            "unassigned": _ratio(self.unassigned, self.points),
            "largest": _ratio(self.largest, self.points),
            "median_size": self.median_size,
            "quality": self.quality,
            "boundary_recall": _ratio(self.recalled, self.boundary),
            "seconds": self.seconds,
            "points_per_second": _ratio(self.points, self.seconds),
        }
        return {name: value for name, value in values.items() if not np.isnan(value)}

    def numbers(self):
        """The summary and, under "counts", what it follows from."""
        return {**self.summary(), "counts": self.to_json()}

    def to_json(self):
        return {f.name: np.asarray(getattr(self, f.name)).tolist() for f in fields(self)}

    @classmethod
    def from_json(cls, counts):
        """The tally that `to_json` made this of; ValueError for anything else."""
        empty = {f.name: np.asarray(getattr(cls(), f.name)) for f in fields(cls)}
        if not isinstance(counts, dict) or counts.keys() != empty.keys():
            raise ValueError(f"got {counts!r:.60}; expected the counts {', '.join(empty)}")
        values = {name: np.asarray(value) for name, value in counts.items()}
        for name, value in values.items():
            kinds = "if" if name == "seconds" or not value.size else "i"
            shape = values["target"].shape[:1] if name in BY_CLASS else empty[name].shape
            counted = value.shape == shape and value.dtype.kind in kinds
            if not counted or not (value >= 0).all():
                raise ValueError(f"{name} is {counts[name]!r:.60}; expected counts")
        values.update({k: values[k].astype(np.int64) for k in BY_CLASS})  # an empty list is float
        tally = cls(**{k: value if value.ndim else value.item() for k, value in values.items()})
        if tally.sizes.sum() != tally.regions:
            raise ValueError(f"{tally.regions} regions, but {tally.sizes.sum()} by size")
        return tally


def _sum(a, b):
    """Sum of two counts by class, the last entry of each for "no region"; one may be empty."""
    if not len(a) or not len(b):
        return b if len(b) else a
    total = np.zeros(max(len(a), len(b)), np.int64)
    for counts in (a, b):
        total[: len(counts) - 1] += counts[:-1]
        total[-1] += counts[-1]
    return total


def _ratio(part, whole):
    return float(part / whole) if whole else float("nan")


def measure(region, segment=None, boundary=(0, 0), seconds=0.0):
    """Tally of one partition.

    region (N,), -1 = unassigned; segment (N,) true classes, IGNORE = none, or None; boundary: what
    `boundary_of` returns. C is the highest class that occurs, plus one.
    """
    size = np.bincount(region[region >= 0])
    size = size[size > 0]
    counts = {}
    if segment is not None:
        confusion = partition_confusion(region, segment, int(segment.max(initial=0)) + 1)
        counts = {
            "intersection": np.diag(confusion),
            "target": confusion.sum(1),
            "predicted": confusion.sum(0),
        }
    return Tally(
        partitions=1,
        points=len(region),
        unassigned=int((region < 0).sum()),
        regions=len(size),
        largest=int(size.max(initial=0)),
        sizes=np.bincount(np.frexp(size)[1] - 1, minlength=SIZE_BINS),
        recalled=boundary[0],
        boundary=boundary[1],
        seconds=seconds,
        **counts,
    )


def boundary_of(cloud, region, segment):
    """(recalled, boundary) of a partition of a Cloud or DepthView; metrics.boundary_counts.

    region, segment: of all its points (N,) or pixels (H,W). Beside a point are its 8 nearest,
    beside a pixel the 8 around it.
    """
    neighbours = cloud.neighbours(BOUNDARY_NEIGHBOURS)
    return boundary_counts(cloud.select(region), cloud.select(segment), neighbours)
