"""Where consistency takes its supervision from: the teacher, stored labels, or both.

Shapes: N rows (student voxels or pixels), C classes.
"""

from __future__ import annotations

import torch

from ..registry import Registry

# An entry is called as source(teacher (N, C), stored (N, C), weight) -> (N, C), all probabilities
# that are masked with the rows' tags; a row of zeros knows nothing. What is registered as
# teacher=False (stored=False) is called with None in its place.
LABEL_SOURCES = Registry("label source")


@LABEL_SOURCES.register("teacher", stored=False)
def teacher_only(teacher: torch.Tensor, stored: None, weight: float) -> torch.Tensor:
    """The mean teacher's prediction, as in the paper."""
    return teacher


@LABEL_SOURCES.register("stored", teacher=False)
def stored_only(teacher: None, stored: torch.Tensor, weight: float) -> torch.Tensor:
    """The prediction of an earlier round, or a lifted 2D prediction; the teacher is not used."""
    return stored


@LABEL_SOURCES.register("blend")
def blend(teacher: torch.Tensor, stored: torch.Tensor, weight: float) -> torch.Tensor:
    """(1 - weight) * teacher + weight * stored; one of them alone where the other knows nothing."""
    weight = weight * (stored.sum(1, keepdim=True) > 0)
    weight = torch.where(teacher.sum(1, keepdim=True) > 0, weight, (weight > 0).to(weight.dtype))
    return teacher + weight * (stored - teacher)


def needs(source: str, what: str) -> bool:
    """Does a label source read "teacher" or "stored"?"""
    return LABEL_SOURCES.facts(source).get(what, True)


def mask_stored(probs: torch.Tensor, tags: torch.Tensor) -> torch.Tensor:
    """Stored probabilities (N, C) without the classes that the rows' tags (N, C) lack.

    The rest is brought to a sum of 1; a row without any present class gives zeros.
    """
    present = probs.float() * (tags > 0)
    total = present.sum(1, keepdim=True)
    return present / torch.where(total > 0, total, 1)
