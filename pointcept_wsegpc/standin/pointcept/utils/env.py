"""Random seeds of one process."""

from __future__ import annotations

import random

import numpy as np
import torch


def get_random_seed() -> int:
    """A seed nobody chose, from the operating system, in [0, 2^31)."""
    return random.SystemRandom().randrange(2**31)


def set_seed(seed: int | None = None) -> None:
    """Seed Python, numpy and torch (None: from the operating system)."""
    seed = get_random_seed() if seed is None else seed
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
