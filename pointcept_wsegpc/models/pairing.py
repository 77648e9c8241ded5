"""Point-pixel pairs for cross-modal guidance.

L links of one scene, V views of H x W pixels, P pairs, D channels; a feature map is h x w.
Pixel centres are at integer coordinates: (0, 0) is the centre of the top-left pixel.
"""

import torch

from .batch_index import shift_index


def sample_pairs(
    link_view, num_views, max_per_view=512, min_per_view=64, total=512, generator=None
):
    """Draw links of one scene: at most ``max_per_view`` of a view, then ``total`` of those.

    link_view: (L,) int view of each link, 0 to num_views - 1. Views with ``min_per_view`` links or
    fewer are left out: they barely see the scene.
    Returns (P,) int64 indices into the links, without repetition, in random order; P may be 0.
    The generator, if any, must be on the links' device; its state alone decides the draw.
    """
    num_links = len(link_view)
    shuffled = torch.randperm(num_links, generator=generator, device=link_view.device)
    view = link_view[shuffled].long()
    # Sorting by view keeps the random order within each: a link's place there is its rank.
    view, order = torch.sort(view, stable=True)
    count = torch.bincount(view, minlength=num_views)
    rank = torch.arange(num_links, device=view.device) - (count.cumsum(0) - count)[view]
    kept = shuffled[order[(rank < max_per_view) & (count[view] > min_per_view)]]
    pick = torch.randperm(len(kept), generator=generator, device=view.device)
    return kept[pick[:total]]


def draw_pairs(batch, **settings):
    """Draw the pairs of every scene of a batch; settings as for `sample_pairs`.

    Returns: voxel (P,), pixel as (view, row, col) each (P,), both numbered over the batch, and the
    number of pairs of each scene.
    """
    ends = batch["link_offset"].tolist()
    views = torch.diff(batch["view_offset"], prepend=batch["view_offset"].new_zeros(1)).tolist()
    drawn = []
    for start, end, num_views in zip([0, *ends[:-1]], ends, views, strict=True):
        pair = sample_pairs(batch["link_view"][start:end], num_views, **settings)
        drawn.append(pair + start)
    pair, sizes = torch.cat(drawn), [len(pair) for pair in drawn]
    voxel = shift_index(batch["link_point"], batch["link_offset"], batch["offset"])[pair]
    view = shift_index(batch["link_view"], batch["link_offset"], batch["view_offset"])[pair]
    return voxel, (view, batch["link_row"][pair], batch["link_col"][pair]), sizes


def sample_pixel_features(features, view, row, col, image_size):
    """Read feature maps (V, D, h, w) bilinearly at pixels: (P, D), differentiable in the features.

    view, row, col: (P,); row and col are pixels of the images of ``image_size`` = (H, W). The
    centres of the corner pixels lie on the corners of the map (align_corners): pixel 0..H-1 is
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
