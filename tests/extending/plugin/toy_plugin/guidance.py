"""A guidance loss: one minus the cosine of the pairs' features."""

import torch.nn.functional as F

from pointcept_wsegpc.losses.guidance import GUIDANCE


@GUIDANCE.register("cosine", reads="features", projected=True)
def cosine_guidance(source, target):
    if len(source) == 0:
        return source.sum() * 0
    return 1 - F.cosine_similarity(source, target.detach(), dim=1).mean()
