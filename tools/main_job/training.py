"""How a training that was cut short goes on: for the quickstart and for the tables."""

from __future__ import annotations

import shutil
from pathlib import Path

from .plan import last_checkpoint, relative


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
