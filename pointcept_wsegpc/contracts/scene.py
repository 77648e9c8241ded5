"""Prepared scenes: folders, point arrays, regions; each is written whole or not at all.

A capture has `name`, `split`, `root` (of the prepared data set) and `target` (the scene's folder).
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..files import link_or_copy, read_json, write_array

INVERSE = "inverse.npy"
PARTIAL = ".partial"  # folder of the data root where scenes are made, unseen by readers
SCENE_LAYOUT = "<root>/<split>/<scene>/{coord,color,normal}.npy"


def outside(root, *given):
    """Absolute paths of an output folder and of what is read, any of which may be None.

    Raises ValueError for an output folder that lies in what is read.
    """
    root, *given = (path and Path(path).expanduser().resolve() for path in (root, *given))
    for source in filter(None, given):
        if source == root or source in root.parents:
            raise ValueError(f"output {root} lies inside {source}; choose a folder beside it")
    return root, *given


def is_prepared(capture, settings):
    """Whether the scene is there, made with the same settings (a dataclass)."""
    manifest = capture.target / "manifest.json"
    return manifest.is_file() and read_json(manifest).get("settings") == asdict(settings)


@contextlib.contextmanager
def staged(capture):
    """A folder out of sight that becomes the capture's scene whole, or vanishes on failure."""
    target = capture.target
    if target.exists() and not (target / "manifest.json").is_file():
        raise FileExistsError(f"{target} is no prepared scene (no manifest.json); move it away")
    folder = capture.root / PARTIAL / capture.split / capture.name
    outdated = folder.with_name(f"{folder.name}.outdated")
    for leftover in (folder, outdated):  # of a run that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            target.rename(outdated)
        folder.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(outdated, ignore_errors=True)


def store_points(folder, points):
    """Write the point arrays {name: (N, ...)}."""
    for key, array in points.items():
        write_array(folder / f"{key}.npy", array)


def link_points(source, folder, needed=("coord", "color", "normal")):
    """Put the arrays of a preprocessed scene into the folder as they are; {name: array}.

    FileNotFoundError for one of `needed` that is missing, ValueError where lengths differ.
    """
    files = sorted(Path(source).glob("*.npy"))
    points = read_points(source, sorted({*needed, *(path.stem for path in files)}))
    for path in files:
        link_or_copy(path, folder / path.name)
    return points


def scene_dirs(root: str | Path, split: str | Iterable[str]) -> list[Path]:
    """Sorted scene folders of one split, or of several, at any depth below the split's folder.

    An empty data set is a FileNotFoundError.
    """
    splits = [split] if isinstance(split, str) else list(split)
    root = Path(root).expanduser().resolve()
    scenes = sorted(scene for s in splits for folder in root.glob(s) for scene in _below(folder))
    if not scenes:
        raise FileNotFoundError(
            f"no scene of split {'/'.join(splits)} in {root}; expected {SCENE_LAYOUT}: "
            "check data_root, or prepare the data (tools/prepare_scannet.py)"
        )
    return scenes


def _below(folder):
    """Scene folders below a folder; nothing is looked for inside of one."""
    for path, folders, files in os.walk(folder, followlinks=True):
        if "coord.npy" in files and path != str(folder):
            folders.clear()
            yield Path(path)


def scene_key(scene: str | Path, root: str | Path) -> str:
    """What tags and label stores know a scene by: its folder, relative to that of its split.

    >>> scene_key("/data/train/08/000123", "/data")
    '08/000123'
    """
    parts = Path(scene).expanduser().absolute().relative_to(Path(root).expanduser().absolute())
    return "/".join(parts.parts[1:])


def read_points(
    scene: str | Path, keys: Iterable[str] = ("coord", "color", "normal")
) -> dict[str, np.ndarray]:
    """Named point arrays of a scene folder; all must have one length."""
    arrays = {}
    for key in keys:
        path = Path(scene) / f"{key}.npy"
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing; a prepared scene holds {SCENE_LAYOUT}")
        arrays[key] = np.load(path)
    lengths = {key: len(array) for key, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{scene}: arrays differ in length: {lengths}; prepare this scene again")
    return arrays


def read_region(scene: str | Path, num_points: int) -> np.ndarray:
    """Region ids (N,) int32 of a scene, -1 = unassigned."""
    path = Path(scene) / "region.npy"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; write it with tools/extract_regions.py")
    region = np.load(path).reshape(-1)
    if len(region) != num_points:
        raise ValueError(
            f"{path} has {len(region)} ids, the scene {num_points} points; "
            "run tools/extract_regions.py again for it"
        )
    return region
