"""The files of a label store (label_store.py): which are its own, and what they hold.

A file of a store is a regular .npz, reached without symbolic links, that names the store and the
scene. All other files are foreign and never touched.
Shapes: N original points, R regions, P points outside any region, C classes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from ..files import read_json
from ..files.arrays import NUMBERS, FileError, read_arrays
from .classes import IGNORE

STORE_FILE = "store.json"
METRICS = "metrics"
KINDS = NUMBERS + "U"  # of arrays in a store: numbers, and the names of store, scene and metrics
FORMAT = "label store 1"
# Left behind by a killed write (files.atomic_path): tolerated, and never removed.
LEFTOVER = re.compile(r"\..+\.(npz\.[a-z0-9_]{8}\.npz|json\.[a-z0-9_]{8}\.json)")


def check_key(key: str) -> str:
    """A scene key, a relative path such as `08/000123`; ValueError for one that is unsafe."""
    safe = isinstance(key, str) and key.isprintable() and not set(key) & set("\\:")
    if not safe or any(not part.strip() or part.startswith(".") for part in key.split("/")):
        raise ValueError(
            f"{key!r} is no scene key; expected a relative path with forward slashes, no part of "
            "which is empty or begins with a dot"
        )
    first, _, rest = key.partition("/")
    if rest and first.casefold() in (METRICS, STORE_FILE):
        raise ValueError(f"{key!r} is no scene key: {first} is a name of the store's own; rename")
    return key


def check_keys(keys: Iterable[str]) -> list[str]:
    """Safe scene keys that can stand side by side; ValueError for others."""
    files: dict[str, str] = {}
    for key in map(check_key, keys):
        if (file := f"{key}.npz".casefold()) in files:
            raise ValueError(f"scene key {key!r} is there twice (upper and lower case are alike)")
        files[file] = key
    for key in files.values():
        if files.keys() & {str(parent).casefold() for parent in Path(key).parents}:
            raise ValueError(f"scene key {key!r} needs a folder where another has its file")
    return list(files.values())


def owner(path: Path) -> tuple[str, str] | None:
    """(id of the store, scene) that a file names; None where it names none."""
    try:
        named = read_arrays(path, ("store", "scene"), kinds=KINDS)
    except (OSError, FileError):
        return None
    return str(named["store"]), str(named["scene"])


def without_links(root: Path, path: Path) -> bool:
    """Whether neither a path below `root` nor a folder between them is a symbolic link."""
    between = [path, *path.parents]
    return not any(part.is_symlink() for part in between[: between.index(root)])


def is_owned(root: Path, path: Path, store: str, scene: str) -> bool:
    return without_links(root, path) and path.is_file() and owner(path) == (store, scene)


def owned_files(root: Path, store: str | None, expected: Mapping[Path, str]) -> set[Path]:
    """Files of a store of this id among {path: scene}; all that `root` may hold beside STORE_FILE.

    Raises FileExistsError for anything else in it, NotADirectoryError where it is no folder.
    """
    if root.is_symlink():
        raise NotADirectoryError(
            f"{root} is a symbolic link, to {os.readlink(root)}; give the folder itself"
        )
    if not root.exists():
        return set()
    if not root.is_dir():
        raise NotADirectoryError(f"{root} is no folder; labels need one of their own")
    owned = set()
    for folder, folders, files in os.walk(root, onerror=_raise):
        for path in (Path(folder, name) for name in sorted([*files, *folders])):
            if path.name in folders and not path.is_symlink():
                continue
            if path in expected and is_owned(root, path, store, expected[path]):
                owned.add(path)
            elif not _tolerated(root, path, store):
                raise FileExistsError(
                    f"{root} holds {path.relative_to(root)}, which this label store did not "
                    "write; choose a new or an empty folder"
                )
    return owned


def _tolerated(root, path, store):
    plain = path.is_file() and not path.is_symlink()
    own = store is not None and path == root / STORE_FILE
    return plain and (own or LEFTOVER.fullmatch(path.name) is not None)


def _raise(error):
    raise error


def read_manifest(folder: Path) -> dict | None:
    """What STORE_FILE of a folder says, its keys checked again; None where there is none.

    Raises ValueError where it is not a label store's, or where an earlier release wrote the store.
    """
    path = folder / STORE_FILE
    if not os.path.lexists(path):
        _refuse_old(folder)
        return None
    try:
        if not path.is_file():
            raise ValueError("it is no file")
        manifest = read_json(path, "put its copy back, if there is one")
        if manifest["format"] != FORMAT:
            raise ValueError(f"its format is {manifest['format']!r}, expected {FORMAT!r}")
        kinds = {"names": list, "provenance": dict, "scenes": list, "finished": bool}
        wrong = [key for key, kind in kinds.items() if not isinstance(manifest[key], kind)]
        if wrong or not re.fullmatch("[0-9a-f]{32}", manifest["id"]):
            raise ValueError(f"its {(*wrong, 'id')[0]} is {manifest[(*wrong, 'id')[0]]!r}")
        check_keys(manifest["scenes"])
    except FileError as error:
        raise ValueError(
            f"{error}, or delete the folder if it has nothing but labels, and export them again"
        ) from error
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ValueError(f"{path} is not of a label store: {error}; move it away") from error
    return manifest


def _refuse_old(folder):
    """Raise ValueError where an earlier release wrote a store, finished or not."""
    for name, key in (("manifest.json", "names"), ("run.json", "weights")):
        try:
            old = key in read_json(folder / name)
        except (OSError, ValueError, TypeError):
            continue
        if old:
            raise ValueError(
                f"{folder} is a store of an earlier release ({name}); `wsegpc upgrade {folder}` "
                "brings it along"
            )


def checked_arrays(scene, label, confidence, voted, num_classes):
    """Arrays of one scene in the file's types; ValueError if they do not match."""
    arrays = {"label": np.asarray(label), "confidence": np.asarray(confidence, np.float16)}
    label, shapes = arrays["label"], {"confidence": arrays["label"].shape}
    if label.ndim != 1 or label.min(initial=IGNORE) < IGNORE or label.max(initial=0) >= num_classes:
        raise ValueError(
            f"scene {scene}: expected labels (N,) from {IGNORE} to {num_classes - 1}, got "
            f"{label.shape} from {label.min(initial=0)} to {label.max(initial=0)}"
        )
    arrays["label"] = label.astype(np.int16)
    given = [name for name, array in voted.items() if array is not None]
    if given:
        if len(given) < len(voted):
            raise ValueError(f"scene {scene}: got {given} alone, expected {list(voted)}")
        region = np.asarray(voted["region"], np.int32)
        arrays |= {"region": region}
        arrays |= {name: np.asarray(voted[name], np.float16) for name in list(voted)[1:]}
        regions = max(int(region.max(initial=-1)) + 1, len(arrays["region_probs"]))
        shapes |= {
            "region": label.shape,
            "region_probs": (regions, num_classes),
            "point_probs": (int((region < 0).sum()), num_classes),
        }
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise ValueError(f"scene {scene}: {name} is {arrays[name].shape}, expected {shape}")
    return arrays
