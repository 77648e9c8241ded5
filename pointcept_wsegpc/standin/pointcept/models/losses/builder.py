"""Registry of losses, and their sum (N points, C classes)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from pointcept.utils.registry import Registry

LOSSES = Registry("losses")


@LOSSES.register_module()
class CrossEntropyLoss(nn.Module):
    """Cross-entropy of scores (N, C) against labels (N,), times ``loss_weight``."""

    def __init__(self, loss_weight=1.0, ignore_index=-1):
        super().__init__()
        self.loss_weight, self.ignore_index = loss_weight, ignore_index

    def forward(self, pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        loss = F.cross_entropy(pred, target.long(), ignore_index=self.ignore_index)
        return loss * self.loss_weight


def build_criteria(cfg):
    """Sum of the configured losses of (pred, target); without any, pred passes through."""
    criteria = [LOSSES.build(loss_cfg) for loss_cfg in cfg or []]
    return lambda pred, target: sum(c(pred, target) for c in criteria) if criteria else pred
