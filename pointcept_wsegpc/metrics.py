"""Confusion matrix, IoU, coverage, quality of partitions.

Shapes: N points, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .contracts.classes import IGNORE


def confusion(
    pred: np.ndarray, target: np.ndarray, num_classes: int, ignore: int = IGNORE
) -> np.ndarray:
    """Count (C, C) int64, rows = target, columns = prediction.

    Points whose target or prediction is `ignore` are skipped; see `coverage` for the share that
    a labeling leaves open. Any other label outside 0..C-1 raises ValueError.
    """
    pred, target = np.ravel(pred).astype(np.int64), np.ravel(target).astype(np.int64)
    if pred.shape != target.shape:
        raise ValueError(
            f"got {pred.size} predictions for {target.size} targets; lengths must match"
        )
    valid = (target != ignore) & (pred != ignore)
    pred, target = pred[valid], target[valid]
    for name, label in (("prediction", pred), ("target", target)):
        if label.size and (label.min() < 0 or label.max() >= num_classes):
            raise ValueError(
                f"{name} label {label.min()}..{label.max()} outside 0..{num_classes - 1}; "
                "is this another class table?"
            )
    counts = np.bincount(target * num_classes + pred, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def iou(confusion: np.ndarray) -> np.ndarray:
    """Intersection over union (C,) float64; NaN for a class that occurs in neither."""
    confusion = np.asarray(confusion, dtype=np.float64)
    intersection = np.diag(confusion)
    union = confusion.sum(0) + confusion.sum(1) - intersection
    return np.divide(intersection, union, out=np.full_like(union, np.nan), where=union > 0)


def mean_iou(confusion: np.ndarray) -> float:
    """Mean IoU over the classes that occur in the target; NaN when none does.

    A class that is only ever predicted, wrongly, lowers the IoU of the classes it was taken for,
    and does not count a second time as a zero.
    """
    occurs = np.asarray(confusion).sum(1) > 0
    return float(iou(confusion)[occurs].mean()) if occurs.any() else float("nan")


def coverage(label: np.ndarray) -> float:
    """Share of points with a label, 0..1; NaN for no points."""
    label = np.ravel(label)
    return float((label != IGNORE).mean()) if label.size else float("nan")


def majority_vote(
    region: np.ndarray, segment: np.ndarray, num_classes: int, ignore: int = IGNORE
) -> np.ndarray:
    """Give every point the most frequent ground-truth class of its region.

    region (N,) with -1 = none, segment (N,) with `ignore`; returns (N,) int64, `ignore` where the
    point has no region or the region no label. Ties go to the lower class.
    """
    region, segment = np.ravel(region).astype(np.int64), np.ravel(segment).astype(np.int64)
    if region.shape != segment.shape:
        raise ValueError(f"got {region.size} region ids for {segment.size} labels")
    assigned = region >= 0
    labeled = assigned & (segment != ignore)
    num_regions = int(region.max(initial=-1)) + 1
    votes = np.bincount(
        region[labeled] * num_classes + segment[labeled], minlength=num_regions * num_classes
    ).reshape(num_regions, num_classes)
    winner = (
        np.where(votes.sum(1) > 0, votes.argmax(1), ignore) if num_regions else np.empty(0, int)
    )
    result = np.full(region.shape, ignore, dtype=np.int64)
    result[assigned] = winner[region[assigned]]
    return result


def confusion_with_misses(
    pred: np.ndarray, target: np.ndarray, num_classes: int, ignore: int = IGNORE
) -> np.ndarray:
    """Like `confusion`, but a labeled point without a prediction is an error of its class.

    Returns (C + 1, C + 1): the last column counts the misses, the last row is zero, so `iou` and
    `mean_iou` apply as they are.
    """
    pred, target = np.ravel(pred).astype(np.int64), np.ravel(target).astype(np.int64)
    missed = np.where(pred == ignore, num_classes, pred)
    return confusion(missed, target, num_classes + 1, ignore)


def scene_confusions(
    labelings: Mapping[str, tuple[np.ndarray, np.ndarray]], num_classes: int
) -> dict[str, np.ndarray]:
    """{name: confusion (C + 1, C + 1) with misses} of {name: (prediction, target)} of one scene.

    To be summed over scenes, name by name; IGNORE stands for none in both.
    """
    return {
        name: confusion_with_misses(pred, target, num_classes)
        for name, (pred, target) in labelings.items()
    }


def partition_confusion(
    region: np.ndarray, segment: np.ndarray, num_classes: int, ignore: int = IGNORE
) -> np.ndarray:
    """Confusion (C + 1, C + 1) of the regions' majority vote, to be summed over scenes."""
    vote = majority_vote(region, segment, num_classes, ignore)
    return confusion_with_misses(vote, segment, num_classes, ignore)


def partition_quality(
    region: np.ndarray, segment: np.ndarray, num_classes: int, ignore: int = IGNORE
) -> float:
    """mIoU of the regions' majority vote: the best that one label per region can reach.

    Points without a region count as errors of their class.
    """
    return mean_iou(partition_confusion(region, segment, num_classes, ignore))


def boundary_counts(
    region: np.ndarray, segment: np.ndarray, neighbours: np.ndarray, ignore: int = IGNORE
) -> tuple[int, int]:
    """(recalled, boundary): counts of the points at a class boundary, to be summed over scenes.

    region (N,) with -1 = none, which counts as one more region; segment (N,) with `ignore`;
    neighbours (N, K) indices of the points next to each, -1 = none (the point itself may be among
    them). A labeled point is at a class boundary if a neighbour is labeled otherwise, and at a
    region border if a neighbour is in another region. A boundary point is recalled if it or one of
    its neighbours is at a region border: what superpixel benchmarks count, with a tolerance of one
    pixel (Stutz, Hermans & Leibe, CVIU 2018), and benchmarks of superpoints with one edge of the
    neighbour graph (Landrieu & Boussaha, CVPR 2019).
    """
    region, segment = np.ravel(region), np.ravel(segment)
    if not len(region) == len(segment) == len(neighbours):
        raise ValueError(
            f"got {len(region)} region ids, {len(segment)} labels and neighbours of "
            f"{len(neighbours)} points; lengths must match"
        )
    border, boundary = np.zeros(len(region), bool), np.zeros(len(region), bool)
    itself = np.arange(len(region))
    columns = [np.where(column < 0, itself, column) for column in np.transpose(neighbours)]
    for column in columns:
        border |= region[column] != region
        boundary |= (segment[column] != segment) & (segment[column] != ignore)
    boundary &= segment != ignore
    near = border.copy()
    for column in columns:
        near |= border[column]
    return int((near & boundary).sum()), int(boundary.sum())


def iou_table(confusions: Mapping[str, np.ndarray], names: Sequence[str]) -> str:
    """Text table of the IoU in % per class, one column per {title: confusion (C, C) or larger}.

    A class that occurs in neither labels nor predictions shows "-".
    """
    columns = {title: iou(counts)[: len(names)] for title, counts in confusions.items()}
    width = max(len(name) for name in (*names, "mIoU"))
    lines = [" " * width + "".join(f"  {title:>12}" for title in columns)]
    for i, name in enumerate(names):
        cells = ["-" if np.isnan(c[i]) else f"{100 * c[i]:.1f}" for c in columns.values()]
        lines.append(f"{name:<{width}}" + "".join(f"  {cell:>12}" for cell in cells))
    means = "".join(f"  {100 * mean_iou(counts):>12.1f}" for counts in confusions.values())
    return "\n".join([*lines, f"{'mIoU':<{width}}{means}"])
