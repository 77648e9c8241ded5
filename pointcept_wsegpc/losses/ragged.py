"""Batches of scenes of different sizes, by cumulative ends."""

import torch


def scene_index(offset):
    """Scene of every point, (N,) int64, from the cumulative ends (B,)."""
    counts = torch.diff(offset, prepend=offset.new_zeros(1)).long()
    return torch.repeat_interleave(torch.arange(len(offset), device=offset.device), counts)


def pixel_rows(maps):
    """(V, C, H, W) -> (V * H * W, C), pixels of a view in row-major order."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])
