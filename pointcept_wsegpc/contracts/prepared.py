"""Writing prepared scenes: each whole or not at all, by one run at a time, all in one way.

<root>/<split>/<name>/ as contracts/scene.py reads it. N points.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..files import (
    link_or_copy,
    read_json,
    read_or_set_aside,
    write_array,
    write_json,
    write_new_json,
)
from ..files.arrays import FileError
from ..files.claims import claim
from ..renames import SETTINGS, message
from .label_files import check_key
from .scene import MANIFEST

ROOT_FILE = "prepared.json"  # of a data root: the kind of its captures, and their settings
OWN = "own_settings"  # in a manifest: those in which the scene differs from its data root
PARTIAL = ".partial"  # folder of the data root where scenes are made, unseen by readers
VIEWS = "views"


def outside(root, *given) -> list[Path | None]:
    """Absolute paths of an output folder and of what is read, any of which may be None.

    Raises ValueError for an output folder that lies in what is read.
    """
    root, *given = (path and Path(path).expanduser().resolve() for path in (root, *given))
    for source in filter(None, given):
        if source == root or source in root.parents:
            raise ValueError(f"output {root} lies inside {source}; choose a folder beside it")
    return [root, *given]


@contextlib.contextmanager
def staged(
    root: Path, split: str, name: str, done: Callable[[], bool] = lambda: False
) -> Iterator[Path | None]:
    """A hidden folder that becomes the scene <root>/<split>/<name> once complete, or vanishes.

    None, and the scene stays, where it turns out to be `done` once it is this run's to make.
    Raises FileExistsError where another folder has that place, ValueError for a name that leaves
    the split's folder, Held where another run is at this scene.
    """
    check_key(name)
    target, place = root / split / name, root / PARTIAL / split / name
    if target.exists() and not (target / MANIFEST).is_file():
        raise FileExistsError(f"{target} is no prepared scene (no {MANIFEST}); move it away")
    try:
        with claim(place / "claim") as check:
            if done():
                yield None
                return
            for leftover in filter(Path.is_dir, place.iterdir()):  # of a run that was killed
                shutil.rmtree(leftover, ignore_errors=True)
            folder, outdated = (place / f"{what}-{uuid.uuid4().hex[:8]}" for what in ("new", "old"))
            folder.mkdir()
            try:
                yield folder
                target.parent.mkdir(parents=True, exist_ok=True)
                check()
                if target.exists():
                    target.rename(outdated)
                folder.rename(target)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
                shutil.rmtree(outdated, ignore_errors=True)
    finally:
        with contextlib.suppress(OSError):  # another run is waiting to begin
            place.rmdir()


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
    manifest["files"] = {p.name: p.stat().st_size for p in sorted(folder.iterdir()) if p.is_file()}
    manifest["view_files"] = _count(folder / VIEWS)
    write_json(folder / MANIFEST, manifest)
    return manifest


def _count(folder: Path) -> int:
    return len(os.listdir(folder)) if folder.is_dir() else 0


def is_whole(scene: Path) -> bool:
    """Whether a scene has a manifest and all that it lists: files of their sizes, and views.

    What came later, such as regions, may be there besides. An older manifest lists nothing.
    """
    return _whole_manifest(scene) is not None


def _whole_manifest(scene):
    """The manifest of a scene that `is_whole`, else None."""
    try:
        manifest = read_json(scene / MANIFEST)
        files = manifest.get("files", {"coord.npy": None})
        sizes = {name: (scene / name).stat().st_size for name in files}
    except (OSError, FileError, AttributeError):
        return None
    whole = all(size in (None, sizes[name]) for name, size in files.items())
    return manifest if whole and _count(scene / VIEWS) >= manifest.get("view_files", 0) else None


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
    manifest = _whole_manifest(capture.target)
    if manifest is None:
        return False
    defaults = {field.name: field.default for field in _content(settings)}
    found = manifest.get("settings")
    for old in SETTINGS.keys() & (found or {}):
        raise ValueError(f"{capture.target / MANIFEST}: {message(old, SETTINGS[old], 'DATA_ROOT')}")
    return isinstance(found, dict) and {**defaults, **found} == recorded(settings)


# -------------------------------------------------------------------------------- data roots


def check_root(root: Path, kind: str, settings: Any, replace: bool = False) -> None:
    """Note with what settings the scenes of a data root are made, before the first of them.

    Raises ValueError for a root that was made with others, unless it is to `replace` its scenes;
    one of an earlier release is known by its first scene.
    """
    path, wanted = root / ROOT_FILE, {"capture": kind, "settings": recorded(settings)}
    found = read_or_set_aside(path) or _settings_of_scenes(root, kind)
    if found is None and (replace or write_new_json(path, wanted)):
        found = wanted  # unless another run was first
    found = found or read_json(path)
    differing = _difference(found, wanted, settings)
    if differing and not replace:
        raise ValueError(
            f"{root} was prepared with other settings: {differing}; expected the same, as scenes "
            "of one root belong together: choose another --out, or redo all scenes with --replace"
        )
    if differing or not path.is_file():
        write_json(path, wanted)


def kind_of(root: Path) -> str | None:
    """The kind of captures that a data root was prepared from; None where it does not say."""
    with contextlib.suppress(OSError, FileError, AttributeError):
        return read_json(root / ROOT_FILE).get("capture")
    return None


def _settings_of_scenes(root, kind):
    for path in sorted(root.glob(f"*/*/{MANIFEST}")):
        with contextlib.suppress(FileError, KeyError, TypeError, ValueError):
            manifest = read_json(path)
            if not manifest.get(OWN):
                return {"capture": kind, "settings": dict(manifest["settings"])}
    return None


def _difference(found, wanted, settings):
    """Which settings differ, for a message; "" where none does."""
    defaults = {field.name: field.default for field in _content(settings)}
    ours = {"capture": wanted["capture"], **wanted["settings"]}
    theirs = {"capture": found.get("capture"), **defaults, **found.get("settings", {})}
    return ", ".join(
        f"{key} {theirs.get(key)!r} there, {ours.get(key)!r} now"
        for key in ours | theirs
        if theirs.get(key) != ours.get(key)
    )
