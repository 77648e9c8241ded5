"""Prepared scenes: folders, point arrays, regions; each is written whole or not at all.

<root>/<split>/<name>/, where a name may have folders of its own: 08/000123. N points.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..files.arrays import read_array

SPLITS = ("train", "val", "test")
INVERSE = "inverse.npy"  # (N,) int32 of scanned points: the prepared point of each, -1 = none
MANIFEST = "manifest.json"
SCENE_LAYOUT = "<root>/<split>/<scene>/{coord,color,normal}.npy"


def scene_dirs(
    root: str | Path, splits: str | Iterable[str] | None = None, *holding: str
) -> list[Path]:
    """Sorted scene folders of one split or several, None: of every one that is there.

    Scenes may lie at any depth below the split's folder; see `find_scenes` for what they hold. An
    empty data set is a FileNotFoundError.
    """
    root = Path(root).expanduser().resolve()
    scenes = find_scenes(root, splits, *holding)
    if not scenes:
        named = "any split" if splits is None else f"split {'/'.join(_listed(splits))}"
        raise FileNotFoundError(
            f"no scene of {named} in {root}; expected {SCENE_LAYOUT}: "
            "check data_root, or prepare the data (`wsegpc prepare scannet`)"
        )
    return scenes


def split_scenes(
    root: str | Path, splits: str | Iterable[str] | None = None, *holding: str
) -> dict[str, Path]:
    """{split/scene: folder} of the `scene_dirs`."""
    return {split_key(path, root): path for path in scene_dirs(root, splits, *holding)}


def find_scenes(
    root: str | Path, splits: str | Iterable[str] | None = None, *holding: str
) -> list[Path]:
    """As `scene_dirs`, of folders that hold anything of these names, by default coord.npy.

    An empty data set has none.
    """
    splits = ["[!.]*"] if splits is None else _listed(splits)
    folders = (folder for split in splits for folder in Path(root).glob(f"{split}/[!.]*"))
    return sorted(scene for folder in folders for scene in scenes_below(folder, *holding))


def _listed(splits):
    return [splits] if isinstance(splits, str) else list(splits)


def scenes_below(folder: str | Path, *holding: str) -> Iterator[Path]:
    """Folders that hold anything of these names: a folder itself, or those below it, at any depth.

    None of them is inside another.
    """
    names = set(holding or ("coord.npy",))
    for path, folders, files in os.walk(folder, followlinks=True):
        if names & {*folders, *files}:
            folders.clear()
            yield Path(path)
        folders[:] = [name for name in folders if not name.startswith(".")]


def split_key(scene: str | Path, root: str | Path) -> str:
    """A scene's folder relative to the data root, as commands name it: train/08/000123."""
    return Path(scene).relative_to(Path(root).expanduser().resolve()).as_posix()


def scene_key(scene: str | Path, root: str | Path) -> str:
    """The key of a scene in tags and label stores: its folder, relative to that of its split.

    >>> scene_key("/data/train/08/000123", "/data")
    '08/000123'
    """
    scene, root = (Path(path).expanduser().absolute() for path in (scene, root))
    if not scene.is_relative_to(root):  # one of them is given through a link
        scene, root = scene.parent.resolve() / scene.name, root.resolve()
    return "/".join(scene.relative_to(root).parts[1:])


def scenes_by_key(scenes: Iterable[str | Path], root: str | Path) -> dict[str, Path]:
    """{scene_key: folder}; ValueError where scenes of two splits have one key."""
    found = {}
    for scene in map(Path, scenes):
        key = scene_key(scene, root)
        if found.setdefault(key, scene) != scene:
            raise ValueError(
                f"{found[key]} and {scene} are both {key!r} in tags and label stores, which know "
                "no splits; rename one of the folders"
            )
    return found


def read_points(
    scene: str | Path,
    keys: Iterable[str] = ("coord", "color", "normal"),
    optional: Iterable[str] = (),
) -> dict[str, np.ndarray]:
    """Named point arrays of a scene folder, optional ones where there are.

    All of one length, and finite; else a ValueError.
    """
    arrays, optional = {}, tuple(optional)
    for key in (*keys, *optional):
        path = Path(scene) / f"{key}.npy"
        if key in optional and not path.is_file():
            continue
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing; a prepared scene holds {SCENE_LAYOUT}")
        arrays[key] = read_array(path, "a point array", "prepare this scene again")
        check_points({key: arrays[key]}, path)
    lengths = {key: len(array) for key, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{scene}: arrays differ in length: {lengths}; prepare this scene again")
    return arrays


def check_points(
    arrays: Mapping[str, Any], where: str | Path, do: str = "prepare this scene again"
) -> None:
    """Raise ValueError for a float array (N, ...) that holds NaN or infinity.

    One such number makes a whole training NaN. What is no array is skipped.
    """
    for key, array in arrays.items():
        if isinstance(array, np.ndarray) and array.dtype.kind == "f":
            finite = np.isfinite(array)
            if not finite.all():
                bad = (~finite).reshape(len(array), -1).any(1).sum()
                raise ValueError(
                    f"{where}: {key} is NaN or infinite at {bad} of {len(array)} points; expected "
                    f"finite numbers: {do}"
                )


def read_all_points(
    scene: str | Path, needed: Iterable[str] = ("coord", "color", "normal")
) -> dict[str, np.ndarray]:
    """All point arrays {name: (N, ...)} of a scene folder, `needed` among them."""
    return read_points(scene, sorted({*needed, *(p.stem for p in Path(scene).glob("*.npy"))}))


def read_region(scene: str | Path, num_points: int) -> np.ndarray:
    """Region ids (N,) int32 of a scene, -1 = unassigned."""
    path = Path(scene) / "region.npy"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; write it with `wsegpc regions`")
    region = read_array(path, "region ids", "run `wsegpc regions` again for it").reshape(-1)
    if len(region) != num_points:
        raise ValueError(
            f"{path} has {len(region)} ids, the scene {num_points} points; "
            "run `wsegpc regions` again for it"
        )
    return region
