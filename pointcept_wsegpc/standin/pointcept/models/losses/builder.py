"""Registry of losses, and their sum."""

from __future__ import annotations

from pointcept.utils.registry import Registry

LOSSES = Registry("losses")


class Criteria:
    """Sum of the configured losses; without any, the prediction passes through."""

    def __init__(self, cfg=None):
        self.criteria = [LOSSES.build(loss_cfg) for loss_cfg in cfg or []]

    def __call__(self, pred, target):
        if not self.criteria:
            return pred
        return sum(criterion(pred, target) for criterion in self.criteria)


def build_criteria(cfg) -> Criteria:
    return Criteria(cfg)
