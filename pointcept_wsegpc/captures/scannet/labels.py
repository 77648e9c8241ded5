"""ScanNet's labeled mesh as point arrays, in the layout of Pointcept's preprocessed scenes.

N vertices (points), F faces.
"""

from __future__ import annotations

import csv
import operator
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ... import camera
from ...camera.resample import resample_to
from ...contracts.classes import IGNORE
from ...files import read_json
from ...files.arrays import FileError, reading
from .raw import AGAIN, TABLE, nyu40_to_scannet20

SEGMENTS = "JSON with a list of integers, segIndices"
OBJECTS = "JSON with a list segGroups of {id, label, segments}"


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
        columns = "id", "raw_category", "nyu40id"
        expected = f"a table with tabs and the columns {', '.join(columns)}"
        by_category, by_id = {}, {}
        with reading(path, expected, AGAIN), open(path, newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file, delimiter="\t"):  # of duplicates the first counts
                number, category, nyu40 = (row[name] for name in columns)
                nyu40 = int(np.int32(nyu40 or 0))  # no id = 0, which is no class
                by_category.setdefault(category, nyu40)
                by_id.setdefault(int(number), nyu40)
            if not by_id:
                raise ValueError("it has no rows")
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
    for path in (segments_path, aggregation_path):
        if not Path(path).is_file():
            raise FileNotFoundError(f"{path} is missing; download the annotation of this scan")
    with reading(segments_path, SEGMENTS, AGAIN):
        segment_of_point = np.asarray(read_json(segments_path, AGAIN)["segIndices"])
        if segment_of_point.dtype.kind not in "iu" or segment_of_point.ndim != 1:
            raise ValueError("its segIndices are no list of integers")
    if len(segment_of_point) != num_points:
        raise ValueError(
            f"{segments_path} has {len(segment_of_point)} vertices, the mesh {num_points}; "
            "download both again"
        )
    segments, inverse = np.unique(segment_of_point, return_inverse=True)
    nyu40, instance = np.zeros(len(segments), np.int64), np.full(len(segments), IGNORE, np.int64)
    with reading(aggregation_path, OBJECTS, AGAIN):
        for group in read_json(aggregation_path, AGAIN)["segGroups"]:
            members = np.isin(segments, np.asarray(group["segments"], np.int64))
            nyu40[members] = label_map.by_category.get(group["label"], 0)
            instance[members] = operator.index(group["id"])
    label = nyu40_to_scannet20(nyu40).astype(np.int64)
    return {TABLE.label_file: label[inverse], "instance": instance[inverse]}


class LabelImages:
    """ScanNet's `label-filt` images of one scene, zipped or unpacked, on the views' grid.

    Their pixels hold ScanNet ids at the color camera's resolution.
    """

    kind = "label-filt"

    def __init__(self, source, label_map):
        self.source, self.label_map = Path(source), label_map
        self._zip = None
        if not self.source.is_dir():
            with reading(source, "a .zip of label images", AGAIN):
                self._zip = zipfile.ZipFile(source)

    def label_image(self, view, frames) -> np.ndarray | None:
        """Label (H, W) int16, IGNORE = none, of a view of the SensFrames `frames`.

        None where this frame has no readable label image.
        """
        try:
            image = self._read(f"{view.frame}.png")
        except (FileNotFoundError, FileError):
            return None
        intrinsic = camera.resize_intrinsic(
            frames.color_intrinsic, frames.color_size, image.shape[:2]
        )
        ids = resample_to(image, intrinsic, frames.intrinsic, frames.size)
        return self.label_map.class_of_id(ids)

    def _read(self, name):
        path = self.source if self._zip else self.source / name
        with reading(path, "a label image with one channel", AGAIN):
            with self._zip.open(f"label-filt/{name}") if self._zip else open(path, "rb") as file:
                image = np.asarray(Image.open(file))
            if image.ndim != 2:
                raise ValueError(f"it has the shape {image.shape}")
        return image
