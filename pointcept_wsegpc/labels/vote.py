"""Labels from class probabilities: voting and tag masking, shared by everything that labels."""

import torch

from ..contracts.classes import IGNORE
from ..losses.tags import tag_softmax


def known_labels(table):
    """Label (M,) and confidence (M,) of probabilities (M, C); IGNORE where nothing is predicted."""
    confidence, label = table.max(1)
    return torch.where(confidence > 0, label, IGNORE), confidence


def scene_probs(logits, tags):
    """Tag-masked softmax (N, C) of one scene's logits (N, C) with its tags (1, C)."""
    return tag_softmax(logits, tags, torch.tensor([len(logits)], device=logits.device))
