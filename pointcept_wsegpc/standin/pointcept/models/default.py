"""The segmentor: a backbone and its losses (N points, C classes)."""

from torch import nn

from .builder import MODELS, build_model
from .losses.builder import build_criteria


@MODELS.register_module()
class DefaultSegmentor(nn.Module):
    """{loss} in training, {loss, seg_logits (N, C)} in evaluation, no loss without labels.

    The backbone itself returns class scores (N, C).
    """

    def __init__(self, backbone=None, criteria=None):
        super().__init__()
        self.backbone = build_model(backbone)
        self.criteria = build_criteria(criteria)

    def forward(self, input_dict: dict) -> dict:
        logits = self.backbone(input_dict)
        if "segment" not in input_dict:
            return {"seg_logits": logits}
        loss = self.criteria(logits, input_dict["segment"])
        return {"loss": loss} if self.training else {"loss": loss, "seg_logits": logits}
