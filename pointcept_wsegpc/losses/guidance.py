"""Cross-modal guidance: one branch's features of point-pixel pairs teach the other's.

Shapes: P pairs, D feature channels, C classes. `source` learns, `target` is detached.
All four losses of the paper's Table V share the call (source, target).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..registry import Registry
from .precision import full_precision

# An entry is called as loss(source (P, D), target (P, D)) -> (). Facts that may be registered:
#   reads="features" or "logits": what both branches hand over. The target's logits (P, C) arrive as
#       probabilities, masked with the tags of the branch that learns
#   projected=True: a linear layer first brings the source's features to the target's width
#   options=("temperature",): which of the model's options of guidance_... it takes by name
#   batched=True: it also takes (B, P, D), of B scenes, and gives the mean of their losses
GUIDANCE = Registry("guidance")


@GUIDANCE.register(
    "contrastive", reads="features", projected=True, options=("temperature",), batched=True
)
@full_precision
def contrastive_guidance(
    source: torch.Tensor, target: torch.Tensor, temperature: float = 0.07
) -> torch.Tensor:
    """Eq. 1: each source must find its own target among the P, (P, D), (P, D) -> ().

    Cross-entropy of the P x P cosine similarities / temperature against the diagonal.
    No pair gives a zero that stays connected to the graph.
    """
    if source.numel() == 0:
        return source.sum() * 0
    source, target = F.normalize(source, dim=-1), F.normalize(target.detach(), dim=-1)
    similarity = source @ target.mT / temperature
    own = torch.arange(source.shape[-2], device=source.device).expand(similarity.shape[:-1])
    return F.cross_entropy(similarity.flatten(0, -2), own.flatten())


@GUIDANCE.register("mse", reads="features", projected=True, batched=True)
@full_precision
def mse_guidance(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean squared L2 distance between the normalized features of the pairs, -> ()."""
    if source.numel() == 0:
        return source.sum() * 0
    source, target = F.normalize(source, dim=-1), F.normalize(target.detach(), dim=-1)
    return (source - target).square().sum(-1).mean()


@GUIDANCE.register("affinity", reads="features", batched=True)
@full_precision
def affinity_guidance(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean squared difference of the two P x P cosine affinity matrices, -> ().

    The widths of source and target may differ: only relations within each branch are compared.
    """
    if source.numel() == 0:
        return source.sum() * 0
    source, target = F.normalize(source, dim=-1), F.normalize(target.detach(), dim=-1)
    return F.mse_loss(source @ source.mT, target @ target.mT)


@GUIDANCE.register("cam", reads="logits")
@full_precision
def cam_guidance(source_logits: torch.Tensor, target_probs: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of source logits (P, C) against the other branch's tag-masked classes (P, C).

    Pairs whose target has no tag at all (a row of zeros) do not count in the mean.
    """
    target_probs = target_probs.detach()
    known = target_probs.sum(1) > 0
    loss = -(target_probs * F.log_softmax(source_logits, dim=1)).sum(1)
    return loss.where(known, 0).sum() / known.sum().clamp(min=1)
