"""Class activation learned from tags: of scenes, and of views that have tags of their own.

Shapes: N points of B samples, V views, L links, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..losses.ragged import count_ids
from ..losses.tags import pool_scene_logits, scene_tag_loss
from .batch_index import BatchIndex


def point_tag_loss(
    logits: torch.Tensor,
    offset: torch.Tensor,
    tags: torch.Tensor,
    view_tags: torch.Tensor,
    scene_tags: torch.Tensor,
    index: BatchIndex,
) -> torch.Tensor:
    """Tag loss () of the 3D branch, over all scenes and all views with tags of their own.

    logits (N, C); offset (B,); tags (B, C) of the samples. A scene's score is the mean of its
    points' logits, a view's that of the points that it sees, as the links say; a view that sees
    none has no part. Of view_tags (V, C) only those count that scene_tags (S, C), of the source
    scenes after structure removal, still have.
    """
    scores = pool_scene_logits(logits, offset)
    own = [v for v, tagged in enumerate(index.view_tagged) if tagged and index.view_links[v]]
    if own:
        seen, view_scene = _view_scores(logits, index)
        scores = torch.cat([scores, rows_at(seen, own)])
        tags = torch.cat([tags, rows_at(view_tags * scene_tags[view_scene], own)])
    return scene_tag_loss(scores, tags)


def _view_scores(logits, index):
    """Mean logits (V, C) of the points that each view sees, and the source scene (V,) of these."""
    num_views = len(index.view_tagged)
    total = logits.new_zeros(num_views, logits.shape[1], dtype=torch.float32)
    total = total.index_add(0, index.link_view, logits[index.link_point].float())
    count = count_ids(index.link_view, num_views).clamp(min=1)
    scene = index.point_scene[index.link_point]
    view_scene = torch.zeros(num_views, dtype=torch.int64, device=logits.device)
    return total / count[:, None], view_scene.scatter_reduce(0, index.link_view, scene, "amax")


def image_tag_loss(
    view_scores: torch.Tensor, tags: torch.Tensor, view_tags: torch.Tensor, index: BatchIndex
) -> torch.Tensor:
    """Tag loss () of the 2D branch, over all scenes with views and all views with own tags.

    view_scores (V, C): mean logits of each view's pixels; tags (B, C) of the samples, view_tags
    (V, C). A scene's score is the mean of its views that have no tags of their own; a view that has
    them is compared with these.
    """
    samples = [sample for sample, num_views in enumerate(index.views) for _ in range(num_views)]
    own = [view for view, tagged in enumerate(index.view_tagged) if tagged]
    rest = [view for view, tagged in enumerate(index.view_tagged) if not tagged]
    viewed = sorted({samples[view] for view in rest})
    total = view_scores.new_zeros(len(tags), view_scores.shape[1])
    sample = rows_at(index.view_sample, rest)
    total = total.index_add(0, sample, rows_at(view_scores, rest))
    scores = total / count_ids(sample, len(tags)).clamp(min=1)[:, None]
    scores = torch.cat([rows_at(scores, viewed), rows_at(view_scores, own)])
    return scene_tag_loss(scores, torch.cat([rows_at(tags, viewed), rows_at(view_tags, own)]))


def rows_at(rows: torch.Tensor, positions: Sequence[int]) -> torch.Tensor:
    """Rows at ascending positions that the host knows; a GPU is not waited for, as it would be by
    an index that comes from there."""
    if len(positions) == len(rows):
        return rows
    return torch.cat([rows[:0], *(rows[i : i + 1] for i in positions)])
