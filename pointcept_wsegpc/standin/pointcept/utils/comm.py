"""Rank and world size; torch.distributed where it runs, else one process."""

import torch.distributed as dist


def get_world_size() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def get_rank() -> int:
    return dist.get_rank() if get_world_size() > 1 else 0


def is_main_process() -> bool:
    return get_rank() == 0


def synchronize() -> None:
    """Wait for the other processes."""
    if get_world_size() > 1:
        dist.barrier()
