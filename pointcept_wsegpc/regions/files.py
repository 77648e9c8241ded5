"""Regions that another program made, from its files. N points.

Known are ScanNet's over-segmentation (*.segs.json), the text that WyPR's shape detection writes,
and superpoints as tensors or arrays (.pth, .pt, .npy, .npz). Nothing that a file holds is ever run.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..clouds.ids import compact_ids
from ..files.arrays import read_array, read_arrays, reading
from ..files.pickles import read_pickled
from .cloud import Cloud
from .registry import PARTITIONS

# What superpoint projects call the ids in a file of several things.
USUAL_KEYS = (
    *("superpoint", "superpoints", "super_point", "super_points", "sp", "spp", "super_index"),
    *("segIndices", "segids", "segments", "region", "regions"),
)
AGAIN = "write it again"
MAX_SHOWN_KEYS = 12  # of a file, in an error
MAX_DIGITS = 40  # of a number in a text


@dataclass(frozen=True)
class FileSettings:
    """Where the regions of a scene are."""

    path: Path
    key: str | int | None = None  # which of several arrays in the file; in a list its place


@PARTITIONS.register("file", settings=FileSettings, files=("path",), views=False, on_cloud=True)
def partition_file(cloud: Cloud, settings: FileSettings) -> np.ndarray:
    """Regions that another program made, from its file.

    Of points at one place, the first one's region counts. Returns (M,); see `read_regions`. Raises
    ValueError for a DepthView.
    """
    if len(cloud.shape) != 1:
        raise ValueError(
            f"{settings.path} holds regions of points; choose another method for views"
        )
    return compact_ids(cloud.select(read_regions(settings.path, *cloud.shape, settings.key)))


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
    with reading(path, f"an array of region ids ({path.suffix[1:].upper()})", AGAIN):
        ids = check_ids(READERS[path.suffix.lower()](path, key, num_points), path, num_points)
        return compact_ids(ids)


def check_ids(content, path, num_points):
    """The ids as a numpy array (N,) of integral numbers; ValueError for anything else."""
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
            "of this very cloud: no point skipped or added, all in the same order"
        )
    if ids.dtype.kind == "f":
        wrong = np.flatnonzero(~np.isfinite(ids) | (ids != np.round(ids)))
        if len(wrong):
            raise ValueError(
                f"{path} holds {ids[wrong[0]]} for point {wrong[0]}; expected integers, "
                "-1 for unassigned: is it an array of something else?"
            )
    return ids


def choose(names, key, path):
    """The name of the entry that holds the ids: the key, the only one, the only usual one."""
    key = key if key is None else str(key)
    if key is None:
        usual = [name for name in names if name in USUAL_KEYS] if len(names) > 1 else names
        if len(usual) == 1:
            return usual[0]
    elif key in names:
        return key
    shown = ", ".join(names[:MAX_SHOWN_KEYS]) + ", ..." * (len(names) > MAX_SHOWN_KEYS) or "none"
    wrong = "several things" if key is None else f"no {key!r}"
    raise ValueError(f"{path} holds {wrong}; choose the region ids by their key, of: {shown}")


def pick(content, key, path):
    """The entry of a dict or a list that holds the ids; an array, or a list of ids, as it is."""
    if isinstance(content, (list, tuple)) and not all(isinstance(x, (int, float)) for x in content):
        content = dict(enumerate(content))
    if isinstance(content, dict):
        content = {str(name): entry for name, entry in content.items()}
        return content[choose(list(content), key, path)]
    if key is not None:
        raise ValueError(f"{path} holds one array without a name; leave out the key {key!r}")
    return content


def read_segs(path, key, num_points):
    """ScanNet: {"segIndices": an id per vertex of the mesh, ...}."""
    return pick(json.loads(path.read_bytes()), key, path)


def read_npy(path, key, num_points):
    return pick(read_array(path, do=AGAIN), key, path)


def read_npz(path, key, num_points):
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
    name = choose(names, key, path)
    return read_arrays(path, (name,), do=AGAIN)[name]


def read_torch(path, key, num_points):
    return pick(read_pickled(path), key, path)


def read_text(path, key, num_points):
    """One id per line; or what WyPR's program writes: see `members_to_ids`."""
    rows = [line.split() for line in path.read_text(encoding="utf-8-sig").split("\n")]
    while rows and not rows[-1]:
        rows.pop()
    if any(len(row) > 1 for row in rows):
        return pick(members_to_ids(rows, path, num_points), key, path)
    if [] in rows:
        raise ValueError(
            f"{path} has an empty line {rows.index([]) + 1}; expected one region id per line"
        )
    return pick(numbers([row[0] for row in rows], path), key, path)


def members_to_ids(rows, path, num_points):
    """Ids (N,) from the layout of WyPR's program: a line per region with the indices of its points
    from 0, an empty line, a line with those of no region. Every point occurs once.
    """
    end = rows.index([]) if [] in rows else len(rows)
    member = numbers([token for row in rows for token in row], path)
    times = np.zeros(num_points, np.int64)
    known = member.dtype.kind == "i" and member.min() >= 0 and member.max() < num_points
    if known:
        times = np.bincount(member, minlength=num_points)
    if end < len(rows) - 2 or (times != 1).any() or not known:
        raise ValueError(
            f"{path} names {np.count_nonzero(times == 1)} of {num_points} points once, as point "
            "indices per region (WyPR's output); expected all: is it of another cloud, cut off, or "
            "written twice (that program appends)? Otherwise write one region id per line"
        )
    line = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    ids = np.empty(num_points, np.int64)
    ids[member] = np.where(line < end, line, -1)
    return ids


def numbers(tokens, path):
    """Tokens of a text as int64, or as float64 where not all are integers."""
    if tokens and len(max(tokens, key=len)) <= MAX_DIGITS:  # an array takes the longest of all
        for dtype in (np.int64, np.float64):
            with contextlib.suppress(ValueError, OverflowError):
                return np.array(tokens).astype(dtype)
    for token in tokens:
        try:
            float(token[: MAX_DIGITS + 1])
        except ValueError:
            raise ValueError(
                f"{path} holds {token[:MAX_DIGITS]!r}; expected numbers alone, region ids"
            ) from None
    raise ValueError(f"{path} holds no region ids; expected some numbers, each below 2^63")


# By suffix: functions of (path, key, num_points) that return an array or what should be one.
READERS = {
    ".json": read_segs,
    ".txt": read_text,
    ".pth": read_torch,
    ".pt": read_torch,
    ".npy": read_npy,
    ".npz": read_npz,
}
