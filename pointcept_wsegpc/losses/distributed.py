"""What losses need of distributed training: averaged gradients must equal the joint batch's."""

import torch
import torch.distributed as dist


def is_distributed():
    return dist.is_available() and dist.is_initialized()


def world_size():
    """Number of training processes."""
    return dist.get_world_size() if is_distributed() else 1


def sum_over_processes(tensor):
    """Sum a tensor over all processes, in place; returns it."""
    if is_distributed():
        dist.all_reduce(tensor)
    return tensor


def mean_over_processes(count, device):
    """Mean over all processes of a per-process count, at least 1; alone, the count itself."""
    if not is_distributed():
        return max(count, 1)
    total = sum_over_processes(torch.tensor(float(count), device=device))
    return (total / world_size()).clamp(min=1)
