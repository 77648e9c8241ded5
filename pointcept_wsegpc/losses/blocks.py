"""Where work is done in blocks: on a CPU, which keeps a block in its cache. Elsewhere every block
costs launches, so that all is done in one pass."""

from __future__ import annotations

import torch

BLOCKWISE = {"cpu"}  # types of devices


def blockwise(tensor: torch.Tensor) -> bool:
    """Whether work on a tensor is to be done block by block."""
    return tensor.device.type in BLOCKWISE


def block_size(tensor: torch.Tensor, rows: int) -> int:
    """How many rows of a tensor (N, ...) make a block: `rows`, or all of them; at least 1."""
    return rows if blockwise(tensor) else max(len(tensor), 1)
