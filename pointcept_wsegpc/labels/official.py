"""Pseudo-labels of the official WSegPC code, as a store that stage two reads (LabelStore).

    DIR/SCENE.npz: pred_label (N,) uint8, 255 = none

N points.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..contracts.classes import ClassTable, clean_labels
from ..contracts.label_store import LabelStore
from ..files.arrays import read_array, read_ids
from ..metrics import mean_iou, scene_confusions


def convert_pseudo_labels(
    source: str | Path,
    store: str | Path,
    table: ClassTable,
    scenes: dict[str, Path],
    key: str = "pred_label",
    on_scene: Callable[[str], object] | None = None,
) -> dict:
    """Write a store of the labels of {scene name: folder of the prepared scene}.

    Confidences are 1: the files have none. Returns the manifest. What an interrupted run wrote is
    read again. Raises ValueError or OSError in one line for a missing, foreign or wrong-length
    file, and for a folder that holds anything else.
    """
    source = Path(source).expanduser().resolve()
    missing = [name for name in scenes if not (source / f"{name}.npz").is_file()]
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of {len(scenes)} scenes have no file in {source}, {missing[0]}.npz "
            "first; give the split that the labels are of"
        )
    provenance = {"source": str(source), "key": key, "confidence": "none given; all 1"}
    with LabelStore(store, table.names, provenance).writing() as store:
        if store.open(scenes).manifest["finished"]:
            raise FileExistsError(
                f"{store.path} holds these labels already; choose an empty folder"
            )
        total = None
        for name, scene in scenes.items():
            label = read_label(source / f"{name}.npz", key, len(table))
            metrics = _compare(label, source / f"{name}.npz", scene, table)
            if metrics:
                total = metrics["3d"] + (0 if total is None else total)
            store.write(name, label, np.ones(len(label)), metrics=metrics)
            if on_scene is not None:
                on_scene(name)
        return store.finish({} if total is None else {"miou": {"3d": mean_iou(total)}})


def _compare(label, path, scene, table):
    """Confusion of the labels of a file with those of a scene, {} where it has none."""
    num_points = len(read_array(scene / "coord.npy", mmap=True))
    if len(label) != num_points:
        raise ValueError(
            f"{path} has {len(label)} labels, {scene} {num_points} points; "
            "convert the points from the same data"
        )
    truth = scene / f"{table.label_file}.npy"
    if not truth.is_file():
        return {}
    segment = table.clean(read_array(truth, "labels").reshape(-1), truth)
    return scene_confusions({"3d": (label, segment)}, len(table))


def read_label(path: Path, key: str, num_classes: int) -> np.ndarray:
    """Labels (N,) int64 of one file, IGNORE = none."""
    return clean_labels(read_ids(path, key, "give the key with --key"), num_classes, path)
