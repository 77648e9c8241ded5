"""Predictions that lie on disk: one image of class ids a view.

<folder>/<scene>/<frame>.png              class ids, 8 or 16 bits
<folder>/<scene>/<frame>.confidence.png   optional, 0 to the largest value of its bits: 0 to 1
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ..contracts.classes import read_class_names
from ..files.arrays import reading
from .base import PREDICTORS


@PREDICTORS.register("files")
class LabelMaps:
    """Label maps in PNG files, of any program. Each pixel's class gets its confidence, else 1.

    Args:
        folder: with a folder a scene (its path in the split) and an image a view, named by its
            frame, with or without leading zeros.
        names: the classes by id, from 0; or a text file with one a line.
        none: id of pixels without a class; default: the largest of the image's bits.
    """

    def __init__(
        self, folder: str | Path, names: Sequence[str] | str | Path, none: int | None = None
    ):
        self.folder = Path(folder).expanduser()
        if not self.folder.is_dir():
            raise FileNotFoundError(f"predictions {self.folder} are missing; expected a folder")
        is_file = isinstance(names, (str, Path))
        self.names = tuple(read_class_names(names) if is_file else names)
        self.none = none

    def scores(self, scene: str, frame: int, image: np.ndarray) -> np.ndarray | None:
        """Scores (K, H, W) float32 of one view; None where it has no label map."""
        path = self._path(scene, frame, ".png")
        if path is None:
            return None
        label, largest = _read(path)
        none = largest if self.none is None else self.none
        known = label != none
        if known.any() and label[known].max() >= len(self.names):
            raise ValueError(
                f"{path} has the class id {label[known].max()}; expected 0 to "
                f"{len(self.names) - 1}, and {none} for none"
            )
        scores = np.zeros((len(self.names), *label.shape), np.float32)
        row, col = np.nonzero(known)
        scores[label[row, col], row, col] = self._confidence(scene, frame, label.shape)[row, col]
        return scores

    def _confidence(self, scene: str, frame: int, shape: tuple[int, int]) -> np.ndarray:
        path = self._path(scene, frame, ".confidence.png")
        if path is None:
            return np.ones(shape, np.float32)
        confidence, largest = _read(path)
        if confidence.shape != shape:
            raise ValueError(f"{path} is {confidence.shape}, its label map {shape} (H, W)")
        return confidence.astype(np.float32) / largest

    def _path(self, scene: str, frame: int, suffix: str) -> Path | None:
        stems = (f"{frame:06d}", str(frame))
        paths = (self.folder / scene / f"{stem}{suffix}" for stem in stems)
        return next((path for path in paths if path.is_file()), None)


def _read(path: Path) -> tuple[np.ndarray, int]:
    """Image (H, W) int64 of one channel, and the largest value that its bits hold."""
    with reading(path, "an image of one channel"), Image.open(path) as file:
        image = np.asarray(file)
    if image.ndim != 2 or image.dtype not in (np.uint8, np.uint16, np.int32):
        raise ValueError(
            f"{path} has the shape {image.shape} of {image.dtype}; expected one channel of 8 or 16 "
            "bits: save class ids, not colors"
        )
    return image.astype(np.int64), 255 if image.dtype == np.uint8 else 65535
