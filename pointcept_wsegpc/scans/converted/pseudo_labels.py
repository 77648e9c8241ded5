"""Pseudo-labels of the official WSegPC code, as a store that stage two reads (schema.py).

    DIR/SCENE.npz: pred_label (N,) uint8, 255 = none

N points.
"""

from pathlib import Path

import numpy as np

from ...files import write_json
from ...labels import IGNORE
from ...metrics import confusion_with_misses, mean_iou
from ...schema import STORE_MANIFEST, write_pseudo_label
from .arrays import clean_labels, read_npz


def convert_pseudo_labels(source, store, names, scenes, key="pred_label", on_scene=None):
    """Write a store of the labels of {scene name: folder of the prepared scene}.

    Confidences are 1: the files have none. Returns the manifest. Raises ValueError or OSError in
    one line for a missing, foreign or wrong-length file, and for a folder that holds a store.
    """
    source, store = Path(source).expanduser().resolve(), Path(store).expanduser().resolve()
    if (store / STORE_MANIFEST).exists():
        raise FileExistsError(f"{store} holds pseudo-labels already; choose an empty folder")
    missing = [name for name in scenes if not (source / f"{name}.npz").is_file()]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of {len(scenes)} scenes have no file in {source}, {missing[0]}.npz "
            "first; give the split that the labels are of"
        )
    counts, points, labelled = 0, 0, 0
    for name, scene in scenes.items():
        label = read_label(source / f"{name}.npz", key, len(names))
        num_points = len(np.load(scene / "coord.npy", mmap_mode="r"))
        if len(label) != num_points:
            raise ValueError(
                f"{source / name}.npz has {len(label)} labels, {scene} {num_points} points; "
                "convert the points from the same data"
            )
        write_pseudo_label(store, name, label, np.ones(len(label)))
        points, labelled = points + num_points, labelled + int((label != IGNORE).sum())
        truth = scene / "segment20.npy"
        if truth.is_file():
            truth = np.load(truth).reshape(-1)
            counts = counts + confusion_with_misses(label, truth, len(names))
        if on_scene is not None:
            on_scene(name)
    manifest = {
        "source": str(source),
        "names": list(names),
        "scenes": len(scenes),
        "points": points,
        "coverage": labelled / max(points, 1),
        "confidence": "none given; all 1",
        "miou": {} if isinstance(counts, int) else {"points": mean_iou(counts)},
    }
    write_json(store / STORE_MANIFEST, manifest)
    return manifest


def read_label(path, key, num_classes):
    """Labels (N,) int64 of one file, IGNORE = none."""
    return clean_labels(read_npz(path, key, "; give --key"), num_classes, path)
