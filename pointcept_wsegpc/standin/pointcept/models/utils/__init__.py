"""Offsets and batch indices (N points, B samples).

``offset`` (B,) holds where each sample ends; ``batch`` (N,) the sample that each point is in;
``bincount`` (B,) how many points each sample has.
"""

from __future__ import annotations

import torch


@torch.no_grad()
def offset2bincount(offset: torch.Tensor) -> torch.Tensor:
    return torch.diff(offset, prepend=offset.new_zeros(1))


@torch.no_grad()
def bincount2offset(bincount: torch.Tensor) -> torch.Tensor:
    return bincount.cumsum(0)


@torch.no_grad()
def offset2batch(offset: torch.Tensor) -> torch.Tensor:
    samples = torch.arange(len(offset), device=offset.device)
    return samples.repeat_interleave(offset2bincount(offset))


@torch.no_grad()
def batch2offset(batch: torch.Tensor) -> torch.Tensor:
    return bincount2offset(batch.bincount()).long()
