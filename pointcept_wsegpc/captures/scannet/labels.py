"""ScanNet's labeled mesh as point arrays, in the layout of Pointcept's preprocessed scenes.

N vertices (points), F faces.
"""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ... import camera
from ...camera.resample import resample_to
from ...contracts.classes import IGNORE
from ...files import read_json
from .raw import TABLE, nyu40_to_scannet20


@dataclass(frozen=True)
class LabelMap:
    """ScanNet's `scannetv2-labels.combined.tsv`: its own categories and ids in NYU40 ids."""

    by_category: dict  # {raw category: NYU40 id}, as objects of a mesh are named
    by_id: dict  # {ScanNet id: NYU40 id}, as pixels of `label-filt` images are numbered

    @classmethod
    def read(cls, path):
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"label map {path} is missing; it comes with the download")
        with open(path, newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file, delimiter="\t")
            columns = {"id", "raw_category", "nyu40id"}
            if not columns <= set(rows.fieldnames or ()):
                raise ValueError(f"{path}: expected the columns {', '.join(sorted(columns))}")
            by_category, by_id = {}, {}
            for row in rows:  # of duplicates the first counts; no id = 0, which is no class
                nyu40 = int(row["nyu40id"] or 0)
                by_category.setdefault(row["raw_category"], nyu40)
                by_id.setdefault(int(row["id"]), nyu40)
        return cls(by_category, by_id)

    def class_of_id(self, ids):
        """Benchmark class int16 of ScanNet ids, both of one shape; IGNORE = none."""
        values, inverse = np.unique(ids, return_inverse=True)
        nyu40 = np.array([self.by_id.get(int(value), 0) for value in values], dtype=np.int64)
        return nyu40_to_scannet20(nyu40)[inverse].reshape(np.shape(ids))


def read_point_labels(segments_path, aggregation_path, num_points, label_map):
    """Labels of the mesh's vertices, by file: segment20, instance (N,) int64, IGNORE = none.

    Vertices belong to over-segments (`segIndices`), and annotated objects (`segGroups`) list
    over-segments. The dictionary is keyed as Pointcept's files are.
    """
    segment_of_point = np.asarray(_annotation(segments_path, "segIndices"), dtype=np.int64)
    if len(segment_of_point) != num_points:
        raise ValueError(
            f"{segments_path} has {len(segment_of_point)} vertices, the mesh {num_points}; "
            "download both again"
        )
    segments, inverse = np.unique(segment_of_point, return_inverse=True)
    nyu40, instance = np.zeros(len(segments), np.int64), np.full(len(segments), IGNORE, np.int64)
    for group in _annotation(aggregation_path, "segGroups"):
        members = np.isin(segments, group["segments"])
        nyu40[members] = label_map.by_category.get(group["label"], 0)
        instance[members] = group["id"]
    label = nyu40_to_scannet20(nyu40).astype(np.int64)
    return {TABLE.label_file: label[inverse], "instance": instance[inverse]}


def _annotation(path, key):
    """The list under `key` of an annotation file."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} is missing; download the annotation of this scan")
    try:
        return read_json(path)[key]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: expected JSON with a list {key!r} ({error}); download it again"
        ) from error


class LabelImages:
    """ScanNet's `label-filt` images of one scene, zipped or unpacked, on the views' grid.

    Their pixels hold ScanNet ids at the color camera's resolution.
    """

    kind = "label-filt"

    def __init__(self, source, label_map):
        self.source, self.label_map = Path(source), label_map
        self._zip = zipfile.ZipFile(source) if self.source.is_file() else None

    def label_image(self, view, frames) -> np.ndarray | None:
        """Label (H, W) int16, IGNORE = none, of a view of the SensFrames `frames`.

        None where this frame has no readable label image.
        """
        try:
            image = np.asarray(Image.open(self._open(view.frame)))
        except (KeyError, OSError):
            return None
        intrinsic = camera.resize_intrinsic(
            frames.color_intrinsic, frames.color_size, image.shape[:2]
        )
        ids = resample_to(image, intrinsic, frames.intrinsic, frames.size)
        return self.label_map.class_of_id(ids)

    def _open(self, frame):
        if self._zip is None:
            return self.source / f"{frame}.png"
        return io.BytesIO(self._zip.read(f"label-filt/{frame}.png"))
