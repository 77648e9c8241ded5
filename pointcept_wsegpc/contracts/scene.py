"""Prepared scenes: folders, point arrays, regions; each is written whole or not at all.

<root>/<split>/<name>/, where a name may have folders of its own: 08/000123. N points.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..files import link_or_copy, read_json, write_array, write_json
from ..files.arrays import read_array
from ..renames import SETTINGS, message
from .label_files import check_key

SPLITS = ("train", "val", "test")
INVERSE = "inverse.npy"  # (N,) int32 of scanned points: the prepared point of each, -1 = none
MANIFEST = "manifest.json"
PARTIAL = ".partial"  # folder of the data root where scenes are made, unseen by readers
SCENE_LAYOUT = "<root>/<split>/<scene>/{coord,color,normal}.npy"


def outside(root, *given) -> list[Path | None]:
    """Absolute paths of an output folder and of what is read, any of which may be None.

    Raises ValueError for an output folder that lies in what is read.
    """
    root, *given = (path and Path(path).expanduser().resolve() for path in (root, *given))
    for source in filter(None, given):
        if source == root or source in root.parents:
            raise ValueError(f"output {root} lies inside {source}; choose a folder beside it")
    return [root, *given]


# ------------------------------------------------------------------------- writing a scene


@contextlib.contextmanager
def staged(root: Path, split: str, name: str) -> Iterator[Path]:
    """A hidden folder that becomes the scene <root>/<split>/<name> once complete, or vanishes.

    Raises FileExistsError where another folder has that place, ValueError for a name that leaves
    the split's folder.
    """
    check_key(name)
    target = root / split / name
    if target.exists() and not (target / MANIFEST).is_file():
        raise FileExistsError(f"{target} is no prepared scene (no {MANIFEST}); move it away")
    folder = root / PARTIAL / split / name
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


def store_points(folder: Path, points: dict[str, np.ndarray]) -> None:
    """Write the point arrays {name: (N, ...)}."""
    for key, array in points.items():
        write_array(folder / f"{key}.npy", array)


def link_points(source: Path, folder: Path) -> None:
    """Put all arrays of a preprocessed scene into the folder as they are, by hard links."""
    for path in sorted(source.glob("*.npy")):
        link_or_copy(path, folder / path.name)


def write_manifest(folder: Path, *, source: dict, settings: Any, **entries: Any) -> dict:
    """Write the manifest: source, code version and settings of a scene; returns it.

    Comes last: a scene with a manifest is finished. settings: a dataclass, see `recorded`.
    """
    manifest = {"version": __version__, "source": source, "settings": recorded(settings), **entries}
    write_json(folder / MANIFEST, manifest)
    return manifest


def recorded(settings: Any) -> dict:
    """The fields of settings (a dataclass) that determine a scene's content, for JSON.

    Fields with metadata {"source": True}, which say where the raw data lie, do not.
    """
    values = {f.name: getattr(settings, f.name) for f in _content(settings)}
    return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}


def _content(settings):
    return [field for field in fields(settings) if not field.metadata.get("source")]


def is_prepared(capture: Any, settings: Any) -> bool:
    """Whether the capture's scene (its `target`) is there, made with the same settings.

    A setting that its manifest does not know was added later: the scene is as with its default.
    Raises ValueError for a setting under its name of an earlier version.
    """
    path = capture.target / MANIFEST
    if not path.is_file():
        return False
    defaults = {field.name: field.default for field in _content(settings)}
    found = read_json(path).get("settings")
    for old in SETTINGS.keys() & (found or {}):
        raise ValueError(f"{path}: {message(old, SETTINGS[old], 'DATA_ROOT')}")
    return isinstance(found, dict) and {**defaults, **found} == recorded(settings)


# ------------------------------------------------------------------------- reading scenes


def scene_dirs(root: str | Path, splits: str | Iterable[str] | None = None) -> list[Path]:
    """Sorted scene folders of one split or several, None: of every one that is there.

    Scenes may lie at any depth below the split's folder. An empty data set is a FileNotFoundError.
    """
    root = Path(root).expanduser().resolve()
    scenes = find_scenes(root, splits)
    if not scenes:
        named = "any split" if splits is None else f"split {'/'.join(_listed(splits))}"
        raise FileNotFoundError(
            f"no scene of {named} in {root}; expected {SCENE_LAYOUT}: "
            "check data_root, or prepare the data (`wsegpc prepare scannet`)"
        )
    return scenes


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
    """Named point arrays of a scene folder, optional ones where there are; all of one length."""
    arrays, optional = {}, tuple(optional)
    for key in (*keys, *optional):
        path = Path(scene) / f"{key}.npy"
        if key in optional and not path.is_file():
            continue
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing; a prepared scene holds {SCENE_LAYOUT}")
        arrays[key] = read_array(path, "a point array", "prepare this scene again")
    lengths = {key: len(array) for key, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{scene}: arrays differ in length: {lengths}; prepare this scene again")
    return arrays


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
