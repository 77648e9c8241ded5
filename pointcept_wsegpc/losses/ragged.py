"""Batches of scenes of different sizes, by cumulative ends.

Shapes: N points of B scenes, V views of H x W pixels, C classes. Nothing here waits for a GPU where
the caller knows the sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch


def scene_index(offset: torch.Tensor, size: int | None = None) -> torch.Tensor:
    """Scene of every point, (N,) int64, from the cumulative ends (B,).

    size: N, which is the last end; without it the call waits for a GPU.
    """
    counts = torch.diff(offset, prepend=offset.new_zeros(1)).long()
    scenes = torch.arange(len(offset), device=offset.device)
    return torch.repeat_interleave(scenes, counts, output_size=size)


def count_ids(ids: torch.Tensor, size: int, times: torch.Tensor | None = None) -> torch.Tensor:
    """How often each of 0 .. size - 1 occurs in ids (N,), -> (size,) int64.

    times: (N,) int64, how often each of the ids counts; None: once. As torch.bincount, which waits
    for a GPU to say how large its largest id is.
    """
    counts = torch.zeros(size, dtype=torch.int64, device=ids.device)
    times = counts.new_ones(1).expand(len(ids)) if times is None else times
    return counts.index_add_(0, ids, times)


def positions(selected: torch.Tensor, size: int) -> torch.Tensor:
    """Ascending positions (size,) int64 of the `size` true entries of selected (N,) bool.

    As torch.nonzero, which waits for a GPU to say how many there are.
    """
    slot = torch.where(selected, selected.cumsum(0) - 1, size)  # the others share one slot more
    found = torch.zeros(size + 1, dtype=torch.int64, device=selected.device)
    return found.index_put((slot,), torch.arange(len(slot), device=slot.device))[:size]


def pixel_rows(maps: torch.Tensor) -> torch.Tensor:
    """(V, C, H, W) -> (V * H * W, C), pixels of a view in row-major order."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


def to_device(batch: Mapping[str, Any], device: torch.device | str) -> dict[str, Any]:
    """Move the tensors of a batch; other entries stay."""
    return {
        key: value.to(device, non_blocking=True) if isinstance(value, torch.Tensor) else value
        for key, value in batch.items()
    }
