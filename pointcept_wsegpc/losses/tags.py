"""Class activation from scene-level tags.

Shapes: N points (or pixels) of B scenes, C classes; offset (B,) holds the cumulative ends of the
scenes, as Pointcept's collate writes it. The same functions serve both branches: for images a
"point" is a pixel and a "scene" is all views of one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from .blocks import blockwise
from .precision import full_precision
from .ragged import scene_index


@full_precision
def pool_scene_logits(logits: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    """Scene score = mean of the point logits, (N, C), (B,) -> (B, C). An empty scene scores 0."""
    counts = torch.diff(offset, prepend=offset.new_zeros(1)).long()
    total = logits.new_zeros(len(offset), logits.shape[1])
    total = total.index_add(0, scene_index(offset, len(logits)), logits)
    return total / counts.clamp(min=1)[:, None]


@full_precision
def scene_tag_loss(scene_logits: torch.Tensor, tags: torch.Tensor) -> torch.Tensor:
    """Multi-label soft margin between scene scores (B, C) and tags (B, C) in {0, 1} -> ().

    >>> scene_tag_loss(torch.zeros(1, 3), torch.tensor([[1.0, 0.0, 0.0]]))  # ln 2
    tensor(0.6931)
    """
    if len(scene_logits) == 0:
        return scene_logits.sum() * 0
    return F.multilabel_soft_margin_loss(scene_logits, tags.to(scene_logits.dtype))


@full_precision
def tag_softmax(
    logits: torch.Tensor,
    tags: torch.Tensor,
    offset: torch.Tensor,
    scenes: Sequence[tuple[int, bool]] | None = None,
) -> torch.Tensor:
    """Softmax over the classes present in a point's scene, (N, C), (B, C), (B,) -> (N, C).

    Absent classes are exactly 0. A scene without any tag gives zeros, which consistency skips.
    scenes: how many points each scene has, and whether it has any tag, where the caller knows.
    On a CPU each scene is worked on alone, elsewhere all in one pass.
    """
    if not blockwise(logits):
        absent = (tags <= 0)[scene_index(offset, len(logits))]
        complete = scenes is not None and all(any_tag for _, any_tag in scenes)
        return _present_softmax(logits, absent, complete)
    # One row to add per scene: 0 for a present class, -inf for an absent one (exp gives exact 0).
    barrier = torch.zeros_like(tags, dtype=logits.dtype).masked_fill_(tags <= 0, -torch.inf)
    if scenes is None:
        sizes = torch.diff(offset, prepend=offset.new_zeros(1)).tolist()
        scenes = list(zip(sizes, (tags > 0).any(1).tolist(), strict=True))
    counts, tagged = [size for size, _ in scenes], [any_tag for _, any_tag in scenes]
    parts = list(zip(logits.split(counts), barrier, tagged, strict=True))
    if logits.requires_grad and torch.is_grad_enabled():
        return torch.cat(
            [
                torch.softmax(part + row, dim=1) if any_tag else torch.zeros_like(part)
                for part, row, any_tag in parts
            ]
        )
    # Without a gradient the scenes go straight into one buffer: no second (N, C) to join them.
    probs = torch.empty(logits.shape, dtype=logits.dtype, device=logits.device)
    for (part, row, any_tag), out in zip(parts, probs.split(counts), strict=True):
        torch.softmax(part + row, dim=1, out=out) if any_tag else out.zero_()
    return probs


@full_precision
def row_tag_softmax(logits: torch.Tensor, tags: torch.Tensor) -> torch.Tensor:
    """`tag_softmax` where every row has tags of its own, (P, C), (P, C) -> (P, C)."""
    return _present_softmax(logits, tags <= 0)


def _present_softmax(logits, absent, complete=False):
    """Softmax without the absent (N, C) classes; complete: no row lacks all of them."""
    probs = torch.softmax(logits.masked_fill(absent, -torch.inf), dim=1)
    return probs if complete else probs.masked_fill(absent, 0)  # where no tag made the row NaN
