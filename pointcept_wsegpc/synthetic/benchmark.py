"""SynthRooms: a fixed version of the synthetic scans, as a benchmark that anyone can make.

A version is a seed, counts and settings, at two sizes, with a checksum of what comes out of them
(benchmark_check.py). Its rooms are crowded ones (rooms/difficulty.py): furniture touches, things
lie flat on walls, paint deceives, and the scan has noise and holes, so that regions leak across
objects. The quickstart trains on those of the small size. A change of the generator that changes
them is a new version.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from ..captures.preparing import prepare
from ..captures.scannet.scene import ScanNetCapture, ScanNetSettings
from ..contracts.prepared import PARTIAL, is_prepared
from . import scans
from .rooms.difficulty import Difficulty
from .scans import SynthesisSettings, make_scene, write_label_table

VERSION = 1
NOTE = "synthrooms.json"  # in the data root: which version and size it holds

HARD = {
    "touching": 0.9,
    "clutter": 1.5,
    "leaning": 1.0,
    "noise": 1.25,
    "fusion": 0.03,
    "holes": 6.0,
}
CROWDED = Difficulty(flat=0.45, camouflage=0.4, **HARD)
PLAINER = Difficulty(flat=0.3, camouflage=0.2, **HARD)


@dataclass(frozen=True)
class Size:
    """How many scenes, how they are scanned, and how they are prepared."""

    name: str
    train: int
    val: int
    scans: SynthesisSettings
    prepared: ScanNetSettings

    def record(self) -> dict:
        """What a data root records about itself."""
        counts = {"train": self.train, "val": self.val}
        return {"version": VERSION, "size": self.name, **counts, "scans": self.scans.record()}


FEW = (
    "bed",
    "sofa",
    "bathtub",
    "refrigerator",
    "toilet",
    "table",
    "bookshelf",
    "cabinet",
    "chair",
    "door",
)
SIZES = {
    # For two CPU cores, what a few hundred iterations can learn: small views, no more points than
    # coarse voxels need, fewer classes, seen more often, that paint deceives about less.
    "small": Size(
        "small",
        64,
        16,
        SynthesisSettings(1001, 20_000, 24, (128, 96), (128, 96), PLAINER, FEW, (2, 6)),
        ScanNetSettings(stride=1, height=48, width=64),
    ),
    # For one GPU: points and views as many and as large as those of ScanNet in the paper.
    "large": Size(
        "large",
        200,
        50,
        SynthesisSettings(1002, 150_000, 60, (648, 484), (640, 480), CROWDED),
        ScanNetSettings(stride=1, height=240, width=320),
    ),
}


@dataclass(frozen=True)
class Scene:
    """A scene of the benchmark."""

    index: int
    split: str
    root: Path
    size: Size

    @property
    def name(self) -> str:
        return f"scene{self.index:04d}_00"

    @property
    def raw(self) -> Path:
        """Where its raw scan lies meanwhile, in the layout of a raw data set."""
        return self.root / PARTIAL / "raw" / self.name

    @property
    def capture(self) -> ScanNetCapture:
        folder = self.raw / "scans" / self.name
        return ScanNetCapture(self.name, self.split, self.root, folder)

    @property
    def folder(self) -> Path:
        return self.capture.target


def scenes(root, size: Size) -> dict[str, Scene]:
    """All scenes of a size by split/name, to be made under `root`."""
    root = Path(root).expanduser().resolve()
    splits = ["train"] * size.train + ["val"] * size.val
    found = [Scene(index, split, root, size) for index, split in enumerate(splits)]
    return {f"{scene.split}/{scene.name}": scene for scene in found}


def claim(root, size: Size) -> None:
    """Record in the data root what it holds; ValueError if it holds something else."""
    scans.claim(Path(root) / NOTE, size.record())


def is_made(scene: Scene) -> bool:
    """Whether the prepared scene is there; `claim` has checked the settings."""
    return is_prepared(scene.capture, scene.size.prepared)


def make(scene: Scene) -> dict:
    """Scan a room, prepare the scan, and keep the prepared scene only; returns its manifest."""
    shutil.rmtree(scene.raw, ignore_errors=True)  # of a run that was killed
    try:
        make_scene(scene.raw, scene.size.scans, scene.index)
        write_label_table(scene.raw, scene.size.scans)
        return prepare(scene.capture, scene.size.prepared)
    finally:
        shutil.rmtree(scene.raw, ignore_errors=True)
