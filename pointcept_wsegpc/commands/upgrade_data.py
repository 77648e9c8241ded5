"""Label stores, data roots and checkpoints of an earlier release.

N points, C classes, V views.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..contracts.classes import CLASSES_FILE, NAMES_FILE, ClassTable, read_class_names
from ..contracts.label_store import LabelStore
from ..contracts.scene import MANIFEST, find_scenes
from ..contracts.tags import TAGS_FILE, read_scene_tags
from ..files import atomic_path, read_json, write_arrays, write_json
from ..files.arrays import read_arrays
from ..renames import SETTINGS
from .old_names import METRICS

OLD_MANIFEST, OLD_RUN, OLD_METRICS = "manifest.json", "run.json", "measures"
# Of an old manifest: what decided the labels.
PROVENANCE = ("weights", "network", "use_tags", "region_vote", "source", "confidence")


# ---------------------------------------------------------------------------- label stores


def is_old_store(folder: Path) -> bool:
    """Whether an earlier release wrote a label store here, finished or not."""
    for name, key in ((OLD_MANIFEST, "coverage"), (OLD_RUN, "weights")):
        if (folder / name).is_file() and key in read_json(folder / name):
            return True
    return False


def upgrade_store(old: Path, out: Path) -> LabelStore:
    """Write the labels of an old store as a new one; the old one stays as it is.

    Raises ValueError where its export was never finished, or where a file is not as the manifest
    says; FileExistsError where `out` holds anything else.
    """
    if not (old / OLD_MANIFEST).is_file():
        raise ValueError(f"{old} was never finished ({OLD_RUN} alone); export its labels again")
    manifest = read_json(old / OLD_MANIFEST)
    scenes = sorted(path.stem for path in old.glob("*.npz"))
    if len(scenes) != manifest["scenes"]:
        raise ValueError(
            f"{old} has labels of {len(scenes)} scenes, its {OLD_MANIFEST} says "
            f"{manifest['scenes']}; export them again"
        )
    provenance = {key: manifest[key] for key in PROVENANCE if key in manifest}
    store = LabelStore(out, manifest["names"], provenance).open(scenes)
    for scene in scenes:
        labels = read_arrays(old / f"{scene}.npz", ("label", "confidence"))
        store.write(scene, **labels, metrics=_old_metrics(old, scene))
    quality = {
        key: {METRICS.get(name, name): value for name, value in manifest[key].items()}
        for key in ("miou", "iou")
        if manifest.get(key)
    }
    store.finish(quality, {"config": manifest.get("config", ""), "upgraded": str(old)})
    return store


def _old_metrics(old: Path, scene: str) -> dict[str, np.ndarray]:
    path = old / OLD_METRICS / f"{scene}.npz"
    if not path.is_file():
        return {}
    return {METRICS.get(name, name): counts for name, counts in read_arrays(path).items()}


# ------------------------------------------------------------------------------ data roots


def is_data_root(folder: Path) -> bool:
    return bool(find_scenes(folder))


def upgrade_root(root: Path, table: ClassTable | None = None) -> Iterator[str]:
    """Bring a data root to today's form; lines that say what was done.

    It gets a class table, its views.npz a size for each view, its manifests today's names of
    settings, so that its scenes count as prepared. All else stays as it is.
    table: of the classes; default: the one that fits labels and tags. Raises ValueError, before
    anything is written, where no table fits.
    """
    scenes, before = find_scenes(root), (root / CLASSES_FILE).is_file()
    if not before or table is not None:
        table = (table or fitting_table(root, scenes)).write(root)
        names = f"{', '.join(table.names[:3])}{', …' * (len(table) > 3)}"
        where = f"labels in {table.label_file}.npy"
        yield f"{root / CLASSES_FILE}: {len(table)} classes ({names}), {where}" + before * ", stays"
    sized = sum([give_sizes(scene / "views.npz") for scene in scenes])
    renamed = sum([rename_settings(scene / MANIFEST) for scene in scenes])
    if sized:
        yield f"a size for each view in {sized} of {len(scenes)} scenes"
    if renamed:
        yield f"settings renamed in {MANIFEST} of {renamed} of {len(scenes)} scenes"
    if not (sized or renamed or table):
        yield "nothing to do"


def fitting_table(root: Path, scenes: list[Path]) -> ClassTable:
    """The class table of a data root, by its own list of names, else by labels and tags."""
    if (root / NAMES_FILE).is_file():
        return ClassTable(read_class_names(root / NAMES_FILE))
    files = {path.stem for scene in scenes for path in scene.glob("segment*.npy")}
    tags = read_scene_tags(root / TAGS_FILE) if (root / TAGS_FILE).is_file() else {}
    named = {name for names in tags.values() for name in names}
    for table in map(ClassTable.shipped, ("scannet20", "s3dis", "scannet200", "nyu40")):
        if table.label_file in files and all(map(table.find, named)):
            return table
    labels = f"labels in {', '.join(sorted(files))}" if files else "no labels"
    raise ValueError(
        f"{root} has {labels} and tags of {len(named)} classes, which fit no shipped class table; "
        "say which they are of with --classes"
    )


def rename_settings(path: Path) -> bool:
    """Rename the settings that a scene's manifest records; whether any had an old name."""
    manifest = read_json(path) if path.is_file() else {}
    settings = manifest.get("settings")
    if not isinstance(settings, dict) or not settings.keys() & SETTINGS.keys():
        return False
    settings = {SETTINGS.get(key, key): value for key, value in settings.items()}
    write_json(path, {**manifest, "settings": settings})
    return True


def give_sizes(path: Path) -> bool:
    """Write one size (H, W) for each view, where views.npz has one for all; whether it had."""
    if not path.is_file():
        return False
    arrays = read_arrays(path)
    if arrays["size"].ndim == 2:
        return False
    arrays["size"] = np.tile(arrays["size"].reshape(1, 2), (len(arrays["frame"]), 1))
    write_arrays(path, **arrays)
    return True


# ----------------------------------------------------------------------------- checkpoints


def upgrade_checkpoint(old: Path, out: Path) -> list[str]:
    """Write a checkpoint whose entries have their new names; lines that say which changed.

    Raises FileExistsError where `out` is anything but this very checkpoint, upgraded before.
    """
    import torch

    from ..models.checkpoint import read_checkpoint, upgrade_state

    checkpoint = read_checkpoint(old)
    if not isinstance(checkpoint.get("state_dict"), dict):
        raise ValueError(f"{old} has no state_dict; expected the checkpoint of a training")
    state = upgrade_state(checkpoint["state_dict"])
    pairs = zip(checkpoint["state_dict"], state, strict=True)
    renamed = [f"{key} is now {new}" for key, new in pairs if new != key]
    if renamed and out.exists():
        there = read_checkpoint(out) if out.is_file() else {}
        if list(there.get("state_dict") or ()) != list(state):
            raise FileExistsError(f"{out} is there already; choose another file with --out")
    elif renamed:
        with atomic_path(out) as temporary:
            torch.save({**checkpoint, "state_dict": state}, temporary)
    return renamed
