"""Region-point consistency: the teacher's region averages supervise the student's points.

Two simpler forms stand beside it for comparison: every point votes alone ("point-point"), and the
student's region averages learn in place of its points ("region"). All have one call.
Shapes: N points (or pixels), R regions, A points outside any region, C classes.
Thresholds and labels live on the (R, C) region table and reach the points as one integer gather.
"""

from __future__ import annotations

import torch
from torch import nn

from ..registry import Registry
from .blocks import block_size
from .cross_entropy import selected_cross_entropy
from .distributed import mean_over_processes, sum_over_processes
from .precision import full_precision
from .ragged import count_ids, positions

CONSISTENCY = Registry("consistency")  # all have the call of `region_point_consistency`
Consistency = tuple[torch.Tensor, dict[str, torch.Tensor]]  # loss () and statistics
BLOCK = 32768  # points that are in float64 at a time on a CPU, while they are in the cache


@full_precision
def region_vote(
    probs: torch.Tensor, region: torch.Tensor, num_regions: int | None = None
) -> torch.Tensor:
    """Eq. 2: mean of the probabilities per region, (N, C), (N,) -> (R, C).

    R = num_regions, else max id + 1, for which the call waits for a GPU. An id without points gives
    zeros; ids < 0 are skipped.
    """
    return _vote(probs, region, num_regions)[0]


def _vote(probs, region, num_regions):
    """`region_vote`, and the number of points (R,) of each region."""
    if num_regions is None:
        num_regions = max(int(region.max()) + 1 if len(region) else 0, 0)
    # Row R collects the points outside any region, so that no (N, C) copy is needed to drop them.
    slot = torch.where(region < 0, num_regions, region).long()
    total = torch.zeros(num_regions + 1, probs.shape[1], dtype=torch.float64, device=probs.device)
    size = block_size(probs, BLOCK)
    for rows, slots in zip(probs.split(size), slot.split(size), strict=True):
        total.index_add_(0, slots, rows.double())  # float32 sums of a wall lose the third digit
    count = count_ids(slot, num_regions + 1)[:num_regions]
    average = total[:num_regions] / count.clamp(min=1)[:, None]
    return average.to(probs.dtype), count


class AdaptiveThreshold(nn.Module):
    """Class-wise confidence thresholds that follow how often a class was assigned (Eq. 5-6).

    Args: num_classes; base, the paper's T; adaptive=False keeps `base` for every class.
    The int64 counts are a buffer: they are saved, resumed, and summed over all processes.
    """

    def __init__(self, num_classes: int, base: float = 0.8, adaptive: bool = True):
        super().__init__()
        self.base = base
        self.adaptive = adaptive
        self.register_buffer("count", torch.zeros(num_classes, dtype=torch.int64))

    def thresholds(self) -> torch.Tensor:
        """Eq. 6: T_c = T * count_c / max count, (C,) float32; zeros before the first update."""
        if not self.adaptive:
            return torch.full(self.count.shape, self.base, device=self.count.device)
        return self.base * self.count / self.count.max().clamp(min=1)

    @torch.no_grad()
    def update(self, labels: torch.Tensor, points: torch.Tensor | None = None) -> None:
        """Eq. 5: count the classes of the labels (M,) of all processes; labels < 0 do not count.

        points: (M,) int64, how often each label counts; None: once.
        """
        labels, others = labels.reshape(-1), len(self.count)
        seen = count_ids(torch.where(labels < 0, others, labels), others + 1, points)[:-1]
        self.count += sum_over_processes(seen)


@torch.no_grad()
@full_precision
def voters(
    teacher_probs: torch.Tensor,
    region: torch.Tensor,
    num_regions: int | None = None,
    num_alone: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The voters: the R regions by their averages, then the A points outside of them.

    num_regions, num_alone: R and A; where they are not given, the call waits for a GPU.
    Returns: table (R + A, C) of probabilities, and the row (N,) int64 of every point.
    """
    return _voters(teacher_probs, region, num_regions, num_alone)[:2]


def _voters(teacher_probs, region, num_regions=None, num_alone=None):
    """`voters`, and for how many points (R + A,) each of them speaks."""
    averages, points = _vote(teacher_probs, region, num_regions)
    outside = region < 0
    alone = positions(outside, int(outside.sum()) if num_alone is None else num_alone)
    own_rows = torch.arange(len(alone), device=region.device) + len(averages)
    row = region.long().index_put((alone,), own_rows)
    points = torch.cat([points, torch.ones_like(alone)])
    return torch.cat([averages, teacher_probs[alone]]), row, points


@torch.no_grad()
def _supervise(teacher_probs, region, threshold, sizes):
    """Eq. 3, 5, 7: the labels of the voters that pass; counted point by point in the threshold.

    Returns: label (R + A,), -1 where nothing is learned; points (R + A,) of each voter; the voter
    (N,) of every point; stats, as `region_point_consistency` returns them.
    """
    table, row, points = _voters(teacher_probs, region, *sizes)
    confidence, label = table.max(1)
    passes = (confidence >= threshold.thresholds()[label]) & (confidence > 0)  # Eq. 7
    label = torch.where(passes, label, -1)
    threshold.update(label, points)  # C counters that all points share would queue on a GPU
    kept = (points * passes).sum()
    stats = {
        "kept": kept / max(len(row), 1),
        "confidence": (confidence.where(passes, 0) * points).sum() / kept.clamp(min=1),
    }
    return label, points, row, stats


@CONSISTENCY.register("region-point")
@full_precision
def region_point_consistency(
    student_logits: torch.Tensor,
    teacher_probs: torch.Tensor,
    region: torch.Tensor,
    threshold: AdaptiveThreshold,
    num_regions: int | None = None,
    num_alone: int | None = None,
) -> Consistency:
    """Eq. 3, 7, 8: cross-entropy of the points against the labels that pass their threshold.

    Args: student_logits (N, C); teacher_probs (N, C), tag-masked (a row of zeros is skipped);
        region (N,) with -1 = none; threshold: AdaptiveThreshold, read first, then updated with the
        labels that were kept; num_regions, num_alone: see `voters`.
    Returns: loss (), the sum over kept points / N (in distributed training the mean N of all
        processes, so that averaged gradients equal those of the joint batch), and a dict of scalar
        tensors: kept (share of points) and confidence (mean over the kept).
    """
    sizes = num_regions, num_alone
    label, _, row, stats = _supervise(teacher_probs, region, threshold, sizes)
    label = label[row]
    return _loss(student_logits, label, label >= 0, len(row)), stats


@CONSISTENCY.register("point-point")
def point_point_consistency(
    student_logits: torch.Tensor,
    teacher_probs: torch.Tensor,
    region: torch.Tensor,
    threshold: AdaptiveThreshold,
    *sizes: int,
) -> Consistency:
    """`region_point_consistency` without regions: every point learns from its own prediction."""
    nowhere, alone = torch.full_like(region, -1), (0, len(region))
    return region_point_consistency(student_logits, teacher_probs, nowhere, threshold, *alone)


@CONSISTENCY.register("region")
@full_precision
def region_consistency(
    student_logits: torch.Tensor,
    teacher_probs: torch.Tensor,
    region: torch.Tensor,
    threshold: AdaptiveThreshold,
    *sizes: int,
) -> Consistency:
    """Direct region labels: as `region_point_consistency`, but of the student's region averages.

    The logits of a region's points are averaged before their cross-entropy, so that no point learns
    from what it says itself. A region weighs as many points as it has, and thresholds, counts and
    the divisor N are those of Eq. 5-8: the forms differ in nothing else.
    """
    label, points, row, stats = _supervise(teacher_probs, region, threshold, sizes)
    total = student_logits.new_zeros(len(label), student_logits.shape[1])
    mean = total.index_add(0, row, student_logits) / points.clamp(min=1)[:, None]
    return _loss(mean, label, points * (label >= 0), len(row)), stats


def _loss(logits, label, weight, num_points):
    """Eq. 8: weighted cross-entropy of rows of logits / N."""
    total = selected_cross_entropy(logits, label.clamp(min=0), weight)
    return total / mean_over_processes(num_points, logits.device)
