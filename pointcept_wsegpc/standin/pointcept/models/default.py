"""The segmentor: a backbone and its losses (N points, C classes)."""

import torch
import torch.nn.functional as F
from torch import nn

from pointcept.utils.registry import Registry

from .builder import MODELS, build_model

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


@MODELS.register_module()
class DefaultSegmentor(nn.Module):
    """{loss} in training, {loss, seg_logits (N, C)} in evaluation, no loss without labels.

    The backbone itself returns class scores (N, C).
    """

    def __init__(self, backbone=None, criteria=None):
        super().__init__()
        self.backbone = build_model(backbone)
        self.criteria = [LOSSES.build(loss_cfg) for loss_cfg in criteria or []]

    def forward(self, input_dict: dict) -> dict:
        logits = self.backbone(input_dict)
        if "segment" not in input_dict:
            return {"seg_logits": logits}
        loss = sum(criterion(logits, input_dict["segment"]) for criterion in self.criteria)
        return {"loss": loss} if self.training else {"loss": loss, "seg_logits": logits}
