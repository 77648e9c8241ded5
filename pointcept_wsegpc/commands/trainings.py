"""What trainings of the quickstart and of the tables share: how they go on, and their seeds."""

from __future__ import annotations

import shutil
from pathlib import Path

from .plan import last_checkpoint, relative

SEED_STEP = 1_000_000  # more than anybody counts seeds to


def continued_seed(seed: int | None) -> int | None:
    """The seed of a training that starts from the weights of one with `seed`.

    A sample is a function of (seed, epoch, index), and each training counts its epochs from 0: with
    the seed of the first part, the second would repeat its samples.
    """
    return None if seed is None else seed + SEED_STEP


def resume_options(folder: Path, resume: bool) -> dict:
    """Settings by which a training goes on from its last checkpoint.

    {} where it has to start over, from an empty folder: it is not to be resumed, or was ended
    before its first checkpoint.
    """
    last = last_checkpoint(folder)
    if resume and last.is_file():
        return {"resume": True, "weight": relative(last)}
    shutil.rmtree(folder, ignore_errors=True)
    return {}
