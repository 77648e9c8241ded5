"""Sums and means over processes, so that averaged gradients equal those of the joint batch."""

from __future__ import annotations

import torch
import torch.distributed as dist


def is_distributed() -> bool:
    return dist.is_available() and dist.is_initialized()


def world_size() -> int:
    """Number of training processes."""
    return dist.get_world_size() if is_distributed() else 1


def sum_over_processes(tensor: torch.Tensor) -> torch.Tensor:
    """Sum a tensor over all processes, in place; returns it."""
    if is_distributed():
        dist.all_reduce(tensor)
    return tensor


def mean_over_processes(count: int | torch.Tensor, device: torch.device) -> int | torch.Tensor:
    """Mean over all processes of a per-process count, int or (), at least 1; alone, the count."""
    if not is_distributed():
        return count.clamp(min=1) if isinstance(count, torch.Tensor) else max(count, 1)
    total = torch.zeros((), device=device) + count
    return (sum_over_processes(total) / world_size()).clamp(min=1)
