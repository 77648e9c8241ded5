"""Regions that another program made, from its files. N points.

Known are ScanNet's over-segmentation (*.segs.json), the text that WyPR's shape detection writes,
and superpoints as tensors or arrays (.pth, .pt, .npy, .npz). Nothing that a file holds is ever run.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..clouds.ids import renumber
from .file_readers import READERS, named


def partition_file(cloud, *, path: str | Path, key: str | int | None = None) -> np.ndarray:
    """Regions (M,) of a Cloud that another program made: see `read_regions`.

    Of points at one place, the first one's region counts. Raises ValueError for a DepthView.
    """
    if len(cloud.shape) != 1:
        raise ValueError(f"{path} holds regions of points; choose another method for views")
    return renumber(cloud.select(read_regions(path, *cloud.shape, key)))


def read_regions(path, num_points: int, key: str | None = None) -> np.ndarray:
    """Region (N,) int32 of every point: contiguous from 0 in the order of the file's ids.

    Negative ids are unassigned, -1. The ids may be any integers, also written as floats. key: which
    of several arrays holds them, in a list its place; needed where not just one has a usual name.
    Raises FileNotFoundError, and ValueError for a file that holds no partition of num_points.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; expected the region ids of {num_points} points")
    if path.suffix.lower() not in READERS:
        raise ValueError(
            f"{path} is of no known kind ({', '.join(READERS)}); save its ids with np.save"
        )
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty; expected {num_points} region ids: write it again")
    ids = check_ids(READERS[path.suffix.lower()](path, key, num_points), path, num_points)
    return renumber(ids)


def check_ids(content, path, num_points):
    """The ids as a numpy array (N,) of integral numbers; ValueError for anything else."""
    with named(path, "an array of region ids"):
        # A parameter of a network is an array too, but has to be detached from its gradient.
        ids = np.asarray(content.detach() if hasattr(content, "detach") else content)
    if ids.dtype.kind not in "iuf":
        kind = type(content).__name__ if ids.dtype.kind == "O" else ids.dtype
        raise ValueError(f"{path} holds values of type {kind}; expected integers, the region ids")
    if ids.ndim != 1:
        raise ValueError(f"{path} holds an array of shape {ids.shape}; expected ({num_points},)")
    if len(ids) != num_points:
        raise ValueError(
            f"{path} holds {len(ids)} region ids, the scene has {num_points} points; take the file "
            "of this very cloud: no point left out or added, all in the same order"
        )
    if ids.dtype.kind == "f":
        wrong = np.flatnonzero(~np.isfinite(ids) | (ids != np.round(ids)))
        if len(wrong):
            raise ValueError(
                f"{path} holds {ids[wrong[0]]} for point {wrong[0]}; expected integers, "
                "-1 for unassigned: is it an array of something else?"
            )
    return ids
