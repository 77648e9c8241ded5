"""Rank, world size and object gathering; torch.distributed where it runs, else one process."""

from __future__ import annotations

import torch.distributed as dist


def _initialized() -> bool:
    return dist.is_available() and dist.is_initialized()


def get_world_size() -> int:
    return dist.get_world_size() if _initialized() else 1


def get_rank() -> int:
    return dist.get_rank() if _initialized() else 0


def get_local_rank() -> int:
    """Rank on this machine; the stand-in knows one machine only."""
    return get_rank()


def is_main_process() -> bool:
    return get_rank() == 0


def synchronize() -> None:
    """Wait for the other processes."""
    if get_world_size() > 1:
        dist.barrier()


def all_gather(data) -> list:
    """The picklable ``data`` of every rank, in rank order, on every rank."""
    if get_world_size() == 1:
        return [data]
    gathered = [None] * get_world_size()
    dist.all_gather_object(gathered, data)
    return gathered


def gather(data, dst: int = 0) -> list:
    """The picklable ``data`` of every rank, in rank order, on rank ``dst``; elsewhere empty."""
    gathered = all_gather(data)
    return gathered if get_rank() == dst else []
