"""Raw ScanNet scenes on disk, and as points and views.

RAW/scans/SCENE/       SCENE.sens · SCENE_vh_clean_2.ply · SCENE.txt ·
                       SCENE_vh_clean_2.0.010000.segs.json · SCENE.aggregation.json ·
                       optional SCENE_2d-label-filt.zip or label-filt/
RAW/scans_test/SCENE/  the same without labels
RAW/scannetv2_{train,val,test}.txt · RAW/scannetv2-labels.combined.tsv

N points, V views.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...clouds.normals import vertex_normals
from ...clouds.ply import count_vertices, read_mesh
from ...contracts.scene import SPLITS, read_all_points
from ...files import read_text
from ..base import CAPTURES, Capture, LabeledSettings, Scene, setting, some
from .frames import SensFrames
from .labels import LabelImages, LabelMap, read_point_labels
from .raw import TABLE, axis_alignment
from .sens import SensReader

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScanNetSettings(LabeledSettings):
    """Settings that determine a prepared scene; other values mean preparing it again."""

    stride: int = setting(20, "take frames 0, N, 2 N, …", minimum=1, metavar="N")
    points: str = field(init=False)  # "mesh", or "pointcept": the arrays of a preprocessed folder
    split: tuple[str, ...] = setting(SPLITS, "splits to prepare", source=True, choices=SPLITS)
    pointcept: Path | None = setting(
        None, "folder preprocessed by Pointcept, whose arrays are hard-linked", source=True
    )

    def __post_init__(self):
        object.__setattr__(self, "points", "pointcept" if self.pointcept else "mesh")
        super().__post_init__()


def _file(ending):
    """SCENE + ending in the scene's folder."""
    return property(lambda self: self.folder / f"{self.name}{ending}")


@CAPTURES.register("scannet")
@dataclass(frozen=True)
class ScanNetCapture(Capture):
    """One raw scene of ScanNet v2, and where its prepared scene goes."""

    folder: Path
    pointcept: Path | None = None  # <folder preprocessed by Pointcept>/<split>/<scene>

    settings = ScanNetSettings
    layout = "RAW/{scans,scans_test}/SCENE/SCENE.sens and RAW/scannetv2_{train,val,test}.txt"
    classes = TABLE

    sens = _file(".sens")
    mesh = _file("_vh_clean_2.ply")
    segments = _file("_vh_clean_2.0.010000.segs.json")
    aggregation = _file(".aggregation.json")

    def label_map(self) -> LabelMap:
        return LabelMap.read(self.folder.parent.parent / "scannetv2-labels.combined.tsv")

    def label_images(self) -> LabelImages | None:
        """The zip or folder of label images, None where there is none."""
        zipped = self.folder / f"{self.name}_2d-label-filt.zip"
        found = [path for path in (zipped, self.folder / "label-filt") if path.exists()]
        return LabelImages(found[0], self.label_map()) if found else None

    @classmethod
    def find(cls, raw, root, settings):
        """Captures that the lists of the splits name."""
        captures, absent = [], []
        for split in settings.split:
            listed = raw / f"scannetv2_{split}.txt"
            for name in read_text(listed).split() if listed.is_file() else ():
                folders = (raw / "scans" / name, raw / "scans_test" / name)
                folder = next((path for path in folders if path.is_dir()), None)
                if folder is None:
                    absent.append(name)
                    continue
                points = settings.pointcept / split / name if settings.pointcept else None
                captures.append(cls(name, split, root, folder, points))
        if absent:
            logger.warning("%d listed scenes have no folder: %s", len(absent), some(absent))
        return captures

    def num_views(self, settings):
        with SensReader(self.sens) as reader:
            return -(-reader.num_frames // settings.stride)

    def num_points(self):
        return 0 if self.pointcept else count_vertices(self.mesh)

    def read(self, settings):
        points = read_all_points(self.pointcept) if self.pointcept else points_from_mesh(self)
        frames = SensFrames(self.sens, settings.stride, settings.size)

        def finish(views):
            if not (len(views) or settings.allow_few_images):
                raise ValueError(f"{self.sens} has no valid frame ({frames.log}); skipped")
            return {}

        return Scene(
            points,
            frames,
            self.label_images(),
            axis_alignment(self.folder),
            source={"capture": str(self.folder), "points": str(self.pointcept or self.mesh)},
            linked=self.pointcept,
            finish=finish,
        )


def points_from_mesh(capture: ScanNetCapture) -> dict[str, np.ndarray]:
    """Point arrays of a capture by name; a test scene has no segment20 and no instance."""
    coord, color, face = read_mesh(capture.mesh)
    points = {"coord": coord, "color": color, "normal": vertex_normals(coord, face)}
    if capture.split == "test" and not capture.segments.is_file():
        return points
    files = capture.segments, capture.aggregation
    return points | read_point_labels(*files, len(coord), capture.label_map())
