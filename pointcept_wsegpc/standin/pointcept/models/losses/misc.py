"""Cross-entropy (N points, C classes)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .builder import LOSSES


@LOSSES.register_module()
class CrossEntropyLoss(nn.Module):
    """Cross-entropy of scores (N, C) against labels (N,), times ``loss_weight``."""

    def __init__(
        self, weight=None, reduction="mean", label_smoothing=0.0, loss_weight=1.0, ignore_index=-1
    ):
        super().__init__()
        self.weight = None if weight is None else torch.tensor(weight)
        self.reduction = reduction
        self.label_smoothing = label_smoothing
        self.loss_weight = loss_weight
        self.ignore_index = ignore_index

    def forward(self, pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        loss = F.cross_entropy(
            pred,
            target.long(),
            weight=None if self.weight is None else self.weight.to(pred),
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )
        return loss * self.loss_weight
