"""Raw ScanNet captures on disk: which there are, and how much they will take when prepared.

RAW/scans/SCENE/       SCENE.sens · SCENE_vh_clean_2.ply · SCENE.txt ·
                       SCENE_vh_clean_2.0.010000.segs.json · SCENE.aggregation.json ·
                       optional SCENE_2d-label-filt.zip or label-filt/
RAW/scans_test/SCENE/  the same without labels
RAW/scannetv2_{train,val,test}.txt · RAW/scannetv2-labels.combined.tsv
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...clouds.ply import count_vertices
from ...contracts.scene import outside
from .sens import SensReader

SPLITS = ("train", "val", "test")
LAYOUT = "RAW/{scans,scans_test}/SCENE/SCENE.sens and RAW/scannetv2_{train,val,test}.txt"

# Stored bytes of a pixel (its JPEG, depth, region and label) and of a point (all arrays), about.
BYTES_PER_PIXEL = 2.0
BYTES_PER_POINT = 12 + 3 + 12 + 8 + 8 + 4
REGION_BYTES = 4  # all that a point takes where its arrays are hard links


@dataclass(frozen=True)
class Capture:
    """One raw scene, and where its prepared scene goes."""

    name: str
    split: str
    folder: Path
    root: Path  # of the prepared data set
    pointcept: Path | None = None  # <folder preprocessed by Pointcept>/<split>/<scene>

    @property
    def target(self):
        return self.root / self.split / self.name

    @property
    def sens(self):
        return self.folder / f"{self.name}.sens"

    @property
    def mesh(self):
        return self.folder / f"{self.name}_vh_clean_2.ply"

    @property
    def segments(self):
        return self.folder / f"{self.name}_vh_clean_2.0.010000.segs.json"

    @property
    def aggregation(self):
        return self.folder / f"{self.name}.aggregation.json"

    @property
    def label_map(self):
        return self.folder.parent.parent / "scannetv2-labels.combined.tsv"

    @property
    def label_images(self):
        """The zip or folder of label images, None where there is none."""
        candidates = (self.folder / f"{self.name}_2d-label-filt.zip", self.folder / "label-filt")
        return next((path for path in candidates if path.exists()), None)

    def axis_alignment(self):
        """World-to-gravity matrix (4, 4) of SCENE.txt; identity where it has none, as in test."""
        return axis_alignment(self.folder)


def scene_info(folder):
    """{key: value} of SCENE.txt in the folder of scene SCENE; {} where there is none."""
    path = Path(folder) / f"{Path(folder).name}.txt"
    if not path.is_file():
        return {}
    lines = (line.partition("=") for line in path.read_text(encoding="utf-8").splitlines())
    return {key.strip(): value.strip() for key, separator, value in lines if separator}


def axis_alignment(folder):
    """World-to-gravity matrix (4, 4) of SCENE.txt; identity where it has none, as in test."""
    value = scene_info(folder).get("axisAlignment")
    return np.eye(4) if value is None else np.array(value.split(), np.float64).reshape(4, 4)


def find_captures(raw, root, splits=SPLITS, pointcept=None):
    """Captures named in the lists of `splits`, and the listed names that have no folder.

    Raises one line for an unknown split, for an output folder inside the raw data, and where no
    capture is found at all.
    """
    root, raw, pointcept = outside(root, raw, pointcept)
    unknown = sorted(set(splits) - set(SPLITS))
    if unknown:
        raise ValueError(f"unknown split {unknown[0]!r}; known: {', '.join(SPLITS)}")
    captures, absent = [], []
    for split in splits:
        listed = raw / f"scannetv2_{split}.txt"
        for name in listed.read_text().split() if listed.is_file() else ():
            folders = (raw / "scans" / name, raw / "scans_test" / name)
            folder = next((path for path in folders if path.is_dir()), None)
            if folder is None:
                absent.append(name)
            else:
                points = pointcept / split / name if pointcept else None
                captures.append(Capture(name, split, folder, root, points))
    if not captures:
        raise FileNotFoundError(
            f"no scan of split {'/'.join(splits)} in {raw}; expected {LAYOUT}: check --raw"
        )
    return captures, absent


def estimate_bytes(captures, stride, size):
    """Bytes that the prepared scenes will take, about, from the headers of their files.

    A capture whose header cannot be read counts as nothing: it will fail with its own line.
    """
    total = 0
    for capture in captures:
        try:
            with SensReader(capture.sens) as reader:
                views = -(-reader.num_frames // stride)
            points = count_vertices(capture.mesh)
        except (OSError, ValueError):
            continue
        total += views * size[0] * size[1] * BYTES_PER_PIXEL
        total += points * (REGION_BYTES if capture.pointcept else BYTES_PER_POINT)
    return int(total)
