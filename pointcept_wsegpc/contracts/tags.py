"""Scene tags from point labels, and the tags files of a data set: of scenes, of single views."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..files import read_json, read_or_set_aside, write_json
from ..files.arrays import FileError
from .classes import ClassTable
from .scene import MANIFEST, find_scenes, scenes_by_key

TAGS_FILE = "scene_tags.json"
VIEW_TAGS_FILE = "view_tags.json"


def derive_tags(
    segment: np.ndarray | None, names: Sequence[str], min_points: int = 1
) -> list[str] | None:
    """The `names` of classes with at least `min_points` labeled points; None without labels.

    segment (N,) with -1 = none, or None.
    """
    if segment is None:
        return None
    segment = np.ravel(segment)
    counts = np.bincount(segment[segment >= 0], minlength=len(names))
    if len(counts) > len(names):
        raise ValueError(
            f"point label {len(counts) - 1} outside 0..{len(names) - 1}; is this another data set?"
        )
    return [name for name, count in zip(names, counts, strict=True) if count >= max(min_points, 1)]


def assemble_tags(root: str | Path) -> tuple[Path, int, list[str]]:
    """Complete the tags file of a data set from the manifests of its prepared scenes.

    Existing entries are kept as they are. Returns the path, how many scenes were added, and the
    scenes whose entry differs from their point labels. Raises ValueError where scenes of two splits
    would share an entry.
    """
    path, added = Path(root) / TAGS_FILE, 0
    while True:  # again after every write: another shard may have written in between
        derived = _derived_tags(root)
        tags = {} if read_or_set_aside(path) is None else read_scene_tags(path)
        missing = {scene: names for scene, names in derived.items() if scene not in tags}
        if not missing:
            break
        write_scene_tags(path, tags | missing)
        added += len(missing)
    differing = sorted(scene for scene in derived if set(tags[scene]) != set(derived[scene]))
    return path, added, differing


def _derived_tags(root):
    """{scene: names} of all finished scenes that have point labels; no damaged manifest counts."""
    tags = {}
    for key, scene in scenes_by_key(find_scenes(root, None, MANIFEST), root).items():
        with contextlib.suppress(FileError, AttributeError):
            tags[key] = read_json(scene / MANIFEST).get("tags")
    return {scene: names for scene, names in tags.items() if names is not None}


def tag_vector(tags: Iterable[str], table: ClassTable) -> np.ndarray:
    """Multi-hot float32 (C,) of class names; ValueError for an unknown name, with the nearest."""
    vector = np.zeros(len(table), dtype=np.float32)
    vector[[table.index(tag) for tag in tags]] = 1
    return vector


def resolve_tags(tags: Iterable[str], table: ClassTable, path: str | Path, scene: str) -> list[str]:
    """Tags of a scene, or of one of its views, as classes of the table, none twice.

    ValueError, naming the file and the scene, for a tag that is no class.
    """
    try:
        return list(dict.fromkeys(map(table.resolve, tags)))
    except ValueError as error:
        raise ValueError(f"{path}: scene {scene}: {error}") from error


def write_scene_tags(path: str | Path, tags: Mapping[str, Iterable[str]]) -> None:
    write_json(path, {scene: list(names) for scene, names in sorted(tags.items())})


def read_scene_tags(path: str | Path, table: ClassTable | None = None) -> dict[str, list[str]]:
    """{scene: [class names]}; the only supervision that stage one may read.

    With a class table the names are its own; without, they are as the file has them.
    """
    path = Path(path).expanduser().resolve()
    if not path.is_file():
        raise FileNotFoundError(
            f"tags file {path} is missing; expected JSON {{scene: [class names]}}, "
            "which `wsegpc prepare scannet` derives from point labels where there are any"
        )
    tags = _read(path, _is_names, "{scene: [class names]}")
    if table is None:
        return tags
    return {scene: resolve_tags(names, table, path, scene) for scene, names in tags.items()}


ViewTags = dict[str, dict[int, list[str]]]


def write_view_tags(path: str | Path, tags: ViewTags) -> None:
    """Write {scene: {frame: [class names]}}."""
    entries = {
        scene: {str(frame): list(names) for frame, names in sorted(frames.items())}
        for scene, frames in sorted(tags.items())
    }
    write_json(path, entries)


def read_view_tags(path: str | Path, table: ClassTable | None = None) -> ViewTags:
    """{scene: {frame: [class names]}} of what single views show; {} where there is no file.

    A view that the file does not name has the tags of its scene. Names as in `read_scene_tags`.
    """
    path = Path(path).expanduser().resolve()
    if not path.is_file():
        return {}
    tags = _read(path, _is_frames, '{scene: {"frame number": [class names]}}')
    return {
        scene: {
            int(frame): names if table is None else resolve_tags(names, table, path, scene)
            for frame, names in frames.items()
        }
        for scene, frames in tags.items()
    }


def _read(path, valid, expected):
    """A JSON object whose values are all valid; ValueError for anything else."""
    tags = read_json(path, "write it again, or have `wsegpc prepare` make it anew")
    if not isinstance(tags, dict) or not all(map(valid, tags.values())):
        raise ValueError(f"{path}: expected {expected}, got another structure")
    return tags


def _is_names(value):
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_frames(value):
    return isinstance(value, dict) and all(
        frame.isdecimal() and _is_names(names) for frame, names in value.items()
    )
