"""Segmentors: a backbone and its losses (N points, C classes, D channels)."""

from __future__ import annotations

import torch
from torch import nn

from .builder import MODELS, build_model
from .losses import build_criteria
from .utils.structure import Point


class _Segmentor(nn.Module):
    def __init__(self, backbone, criteria):
        super().__init__()
        self.backbone = build_model(backbone)
        self.criteria = build_criteria(criteria)

    def result(self, logits: torch.Tensor, input_dict: dict) -> dict:
        """{loss} in training, {loss, seg_logits (N, C)} in evaluation, no loss without labels."""
        if "segment" not in input_dict:
            return {"seg_logits": logits}
        loss = self.criteria(logits, input_dict["segment"])
        return {"loss": loss} if self.training else {"loss": loss, "seg_logits": logits}


@MODELS.register_module()
class DefaultSegmentor(_Segmentor):
    """The backbone itself returns class scores (N, C)."""

    def __init__(self, backbone=None, criteria=None):
        super().__init__(backbone, criteria)

    def forward(self, input_dict: dict) -> dict:
        return self.result(self.backbone(input_dict), input_dict)


@MODELS.register_module()
class DefaultSegmentorV2(_Segmentor):
    """The backbone returns features (N, D), a tensor or a Point; a linear head scores them."""

    def __init__(self, num_classes, backbone_out_channels, backbone=None, criteria=None):
        super().__init__(backbone, criteria)
        self.seg_head = nn.Linear(backbone_out_channels, num_classes)

    def forward(self, input_dict: dict) -> dict:
        output = self.backbone(Point(input_dict))
        feat = output.feat if isinstance(output, Point) else output
        return self.result(self.seg_head(feat), input_dict)
