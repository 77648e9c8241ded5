"""2D predictors: class scores for the images of a scene, and the mapping of their classes.

Shapes: H x W pixels, K classes of the predictor, C of the data set's class table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from ..contracts.classes import ClassTable
from ..files import read_json
from ..registry import Registry

# name -> a function that takes the predictor's settings and returns a `Predictor`
PREDICTORS = Registry("2D predictor")


class Predictor(Protocol):
    """Source of class scores of images: files on disk or a network."""

    names: Sequence[str]  # the K classes, in the order of the scores

    def scores(self, scene: str, frame: int, image: np.ndarray) -> np.ndarray | None:
        """Scores (K, H, W) float, probabilities, of one view; None where there is no prediction.

        scene: its key, that is its folder's path in the split; frame: the view's number; image:
        (H', W', 3) uint8. The grid of the scores may be of another size than the image, with the
        same edges.
        """


def class_map(
    names: Sequence[str], table: ClassTable, mapping: Mapping[str, str] | None = None
) -> tuple[np.ndarray, list[str], list[str]]:
    """Which of the table's classes each of the predictor's is.

    mapping: the user's own, {predictor's name: class of the table}, before exact names and
    synonyms. Returns: index (K,) int64, -1 for those that no class of the table takes; their names;
    and the classes of the table that get none of the predictor's.
    """
    mapping = mapping or {}
    if unknown := sorted(set(mapping) - set(names)):
        raise ValueError(
            f"the mapping names {unknown[0]!r}, which is no class of the predictor; "
            f"expected some of {', '.join(names)}"
        )
    index = np.full(len(names), -1, np.int64)
    for k, name in enumerate(names):
        if name in mapping:
            index[k] = table.index(mapping[name])
        elif table.find(name) is not None:
            index[k] = table.index(name)
    unmapped = [name for name, i in zip(names, index, strict=True) if i < 0]
    without = [name for i, name in enumerate(table.names) if i not in index]
    return index, unmapped, without


def to_table(scores: np.ndarray, index: np.ndarray, num_classes: int) -> np.ndarray:
    """Scores (K, H, W) of the predictor's classes to ours (C, H, W); several to one add up."""
    ours = np.zeros((num_classes, *scores.shape[1:]), np.float32)
    np.add.at(ours, index[index >= 0], scores[index >= 0].astype(np.float32))
    return ours


def read_mapping(path: str | Path) -> dict[str, str]:
    """A user's mapping.json, {predictor's name: class of the data set}."""
    mapping = read_json(path)
    if not isinstance(mapping, dict) or not all(isinstance(v, str) for v in mapping.values()):
        raise ValueError(f"{path}: expected JSON {{predictor's class: class of the data set}}")
    return mapping
