"""Scene tags from point labels, and the one tags file of a data set."""

from pathlib import Path

import numpy as np

from ..files import read_json, write_json

TAGS_FILE = "scene_tags.json"


def derive_tags(segment, names, min_points=1):
    """The `names` of classes with at least `min_points` labelled points; None without labels.

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


def assemble_tags(root):
    """Complete the tags file of a data set from the manifests of its prepared scenes.

    Entries that the file already has stay as they are, whoever wrote them. Returns the path, how
    many scenes were added, and the scenes whose entry differs from their point labels.
    """
    path, added = Path(root) / TAGS_FILE, 0
    while True:  # again after every write: another shard may have written in between
        derived = _derived_tags(root)
        tags = read_scene_tags(path) if path.is_file() else {}
        missing = {scene: names for scene, names in derived.items() if scene not in tags}
        if not missing:
            break
        write_scene_tags(path, tags | missing)
        added += len(missing)
    differing = sorted(scene for scene in derived if set(tags[scene]) != set(derived[scene]))
    return path, added, differing


def _derived_tags(root):
    """{scene: names} of all finished scenes that have point labels."""
    tags = {p.parent.name: read_json(p).get("tags") for p in Path(root).glob("*/*/manifest.json")}
    return {scene: names for scene, names in tags.items() if names is not None}


def tag_vector(tags: list[str], names: tuple[str, ...]) -> np.ndarray:
    """Multi-hot float32 (C,) of class names; an unknown name raises ValueError."""
    unknown = sorted(set(tags) - set(names))
    if unknown:
        raise ValueError(
            f"unknown class name(s) {unknown} among the tags; the class table has {list(names)}"
        )
    vector = np.zeros(len(names), dtype=np.float32)
    vector[[names.index(tag) for tag in tags]] = 1
    return vector


def write_scene_tags(path, tags):
    write_json(path, {scene: list(names) for scene, names in sorted(tags.items())})


def read_scene_tags(path):
    """{scene: [class names]}; the only supervision that stage one may read."""
    path = Path(path).expanduser().resolve()
    if not path.is_file():
        raise FileNotFoundError(
            f"tags file {path} is missing; expected JSON {{scene: [class names]}}, "
            "which `wsegpc prepare scannet` derives from point labels where there are any"
        )
    tags = read_json(path)
    if not isinstance(tags, dict) or not all(isinstance(names, list) for names in tags.values()):
        raise ValueError(f"{path}: expected {{scene: [class names]}}, got another structure")
    return tags
