"""Regions from the ground truth: the upper bound of what any partition can reach.

For ablations only. M rows of a Cloud or a DepthView, of N points or H x W pixels; K neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ..clouds.ids import compact_ids
from ..contracts.classes import IGNORE
from .cloud import Cloud
from .depth_view import DepthView
from .registry import PARTITIONS

# A link this many times longer than the middle one at either of its ends spans a gap: in a cloud
# between parts of fewer points than neighbours, in a view at a depth step. Noise cuts too, below 3.
MAX_LINK = 3.0


@dataclass(frozen=True)
class OracleSettings:
    """Settings of the oracle; ValueError for one out of range."""

    neighbours: int = 8  # that a row is linked to

    def __post_init__(self):
        if self.neighbours < 1:
            raise ValueError(f"neighbours is {self.neighbours}; a link needs at least 1")


@PARTITIONS.register(
    "oracle",
    settings=OracleSettings,
    needs=("segment",),
    uses=("instance",),
    on_cloud=True,
)
def partition_oracle(cloud: Cloud | DepthView, settings: OracleSettings) -> np.ndarray:
    """Connected components of equal ground truth: a region per object and stretch of surface.

    The array segment (N,), or (H,W) on a view: class of every point, IGNORE = unassigned. instance,
    alike: object of every point; any value splits what differs in it. Rows are linked to their
    nearest neighbours; links longer than MAX_LINK times the middle one at either end are cut, so
    that two chairs that do not touch are two regions without instances, too. A region can be one
    point.

    It reads the labels that it is evaluated on: its results are not comparable with others.
    Returns (M,). Raises ValueError for labels of the wrong length or type.
    """
    names = [name for name in ("segment", "instance") if cloud.array(name) is not None]
    label = [select_labels(cloud, name) for name in names]
    segment = label[0]
    tail, head = linked_rows(cloud, settings.neighbours)
    equal = np.logical_and.reduce([part[tail] == part[head] for part in label])
    links = np.ones(np.count_nonzero(equal), bool), (tail[equal], head[equal])
    graph = coo_matrix(links, shape=(len(cloud), len(cloud)))
    component = connected_components(graph, directed=False)[1] if len(cloud) else segment
    return compact_ids(np.where(segment != IGNORE, component, -1))


def select_labels(cloud, name):
    """The rows (M,) of the integer labels (N,) or (H,W) of that name."""
    label = np.asarray(cloud.array(name))
    if label.dtype.kind not in "iu" or label.ndim != len(cloud.shape):
        expected = "x".join(map(str, cloud.shape))
        raise ValueError(
            f"{name} is {label.dtype} of shape {label.shape}; expected {expected} integers"
        )
    return cloud.select(label)


def linked_rows(cloud, neighbours):
    """Tail (L,) and head (L,) of the links from every row to its neighbours, without the long."""
    table = cloud.neighbours(neighbours)
    tail, slot = np.nonzero(table[:, 1:] >= 0)
    head = table[tail, slot + 1]
    length = np.full((len(table), max(table.shape[1] - 1, 1)), np.inf)
    length[tail, slot] = np.linalg.norm(cloud.coord[tail] - cloud.coord[head], axis=1)
    count = np.bincount(tail, minlength=len(table))
    middle = np.sort(length, axis=1)[np.arange(len(table)), np.maximum(count - 1, 0) // 2]
    short = length[tail, slot] <= MAX_LINK * np.minimum(middle[tail], middle[head])
    return tail[short], head[short]
