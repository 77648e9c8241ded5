"""Point-pixel pairs for cross-modal guidance.

L links of one scene, V views of H x W pixels, P pairs, D channels; a feature map is h x w.
Pixel centers are at integer coordinates: (0, 0) is the center of the top-left pixel.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .batch_index import BatchIndex


def sample_pairs(
    link_view: torch.Tensor,
    view_links: Sequence[int],
    max_pairs_per_view: int = 512,
    min_pairs_per_view: int = 64,
    max_pairs: int = 512,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """Draw links of one scene: ``max_pairs_per_view`` of a view at most, then ``max_pairs`` of all.

    link_view: (L,) int view of each link, ascending or not. view_links: number of links of each of
    the scene's views, in their order: counting here would wait for a GPU. Views with
    ``min_pairs_per_view`` links or fewer are skipped: they barely see the scene.
    Returns (P,) int64 indices into the links, without repetition, in random order; P may be 0.
    The generator, if any, must be on the links' device; its state alone decides the draw.
    """
    num_links = len(link_view)
    shuffled = torch.randperm(num_links, generator=generator, device=link_view.device)
    # Sorting by view keeps the random order within each: its first links are a draw from it.
    order = torch.sort(link_view[shuffled], stable=True)[1]
    drawn = [
        links[:max_pairs_per_view]
        for links in order.split(list(view_links))
        if len(links) > min_pairs_per_view
    ]
    kept = shuffled[torch.cat([order[:0], *drawn])]
    pick = torch.randperm(len(kept), generator=generator, device=kept.device)
    return kept[pick[:max_pairs]]


def draw_pairs(index: BatchIndex, **settings: int) -> tuple[torch.Tensor, list[int]]:
    """Draw the pairs of every scene of a batch; settings as for `sample_pairs`.

    Returns: the links (P,) that were drawn, numbered over the batch, and how many of each scene.
    """
    drawn, start, view = [], 0, 0
    for num_links, num_views in zip(index.links, index.views, strict=True):
        end, next_view = start + num_links, view + num_views
        view_links = index.view_links[view:next_view]
        drawn.append(sample_pairs(index.link_view[start:end], view_links, **settings) + start)
        start, view = end, next_view
    return torch.cat(drawn), [len(pair) for pair in drawn]


def sample_pixel_features(
    features: torch.Tensor,
    view: torch.Tensor,
    row: torch.Tensor,
    col: torch.Tensor,
    image_size: Sequence[int],
) -> torch.Tensor:
    """Read feature maps (V, D, h, w) bilinearly at pixels: (P, D), differentiable in the features.

    view, row, col: (P,); row and col are pixels of the images of ``image_size`` = (H, W). The
    centers of the corner pixels lie on the corners of the map (align_corners): pixel 0..H-1 is
    position 0..h-1. Logits must be brought to pixel size with the same convention.
    Call it once for the pairs of all scenes: the backward fills a gradient of the maps' size.
    """
    y, y_weight = _neighbours(row, image_size[0], features.shape[2])  # (2, P) each
    x, x_weight = _neighbours(col, image_size[1], features.shape[3])
    # One read of all four corners: each read would cost a gradient as large as the maps.
    corners = features[view, :, y[:, None], x[None, :]]  # (2, 2, P, D)
    weight = (y_weight[:, None] * x_weight[None, :]).to(features.dtype)  # (2, 2, P)
    return (corners * weight[..., None]).sum((0, 1))


def _neighbours(pixel, size, map_size):
    """Map cells before and after each pixel along one axis, and their weights: (2, P) each."""
    position = pixel.float() * ((map_size - 1) / max(size - 1, 1))
    before = position.floor().long().clamp(0, map_size - 1)
    after = (before + 1).clamp(max=map_size - 1)
    weight = position - before
    return torch.stack((before, after)), torch.stack((1 - weight, weight))
