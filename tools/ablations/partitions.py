"""Data roots that share everything but their regions, and how good those are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pointcept_wsegpc.commands.quickstart_report import read_truth
from pointcept_wsegpc.contracts.classes import CLASSES_FILE, ClassTable
from pointcept_wsegpc.contracts.scene import read_region, scene_dirs
from pointcept_wsegpc.contracts.tags import TAGS_FILE
from pointcept_wsegpc.contracts.views import read_views, write_view_image
from pointcept_wsegpc.files import link_or_copy, write_array
from pointcept_wsegpc.metrics import confusion_with_misses, majority_vote, mean_iou

SPLITS = ("train", "val")
REGION_FILES = ("region.npy", "regions.json")
REGION_IMAGES = ".region.png"


def link_scenes(source: Path, root: Path) -> None:
    """Hard-link prepared scenes, class table and tags to another root, without the regions.

    Files are replaced whole, never changed, so neither root sees what happens in the other. On
    another file system they are copied. What is there already stays. The tags come last: they mark
    the root as complete.
    """
    source = source.resolve()
    for split in SPLITS:
        for scene in scene_dirs(source, split):
            for path in sorted(scene.rglob("[!.]*")):
                regions = path.name in REGION_FILES or path.name.endswith(REGION_IMAGES)
                if path.is_file() and not regions:
                    share(path, root / path.relative_to(source))
    share(source / CLASSES_FILE, root / CLASSES_FILE)
    share(source / TAGS_FILE, root / TAGS_FILE)


def share(path: Path, target: Path) -> None:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(path.resolve(), target)


def leave_unassigned(root: Path) -> None:
    """Write regions in which no point and no pixel is: each votes for itself."""
    for split in SPLITS:
        for scene in scene_dirs(root, split):
            count = len(np.load(scene / "coord.npy", mmap_mode="r"))
            views = read_views(scene)
            for frame in views.frame:
                none = np.full(views.size, -1, np.int32)
                write_view_image(scene, frame, "region", none)
            write_array(scene / "region.npy", np.full(count, -1, np.int32))


def quality(root: Path, split: str = "train") -> tuple[float, float] | None:
    """mIoU, 0..1, of the regions' majority vote over a split; None where no point is labelled.

    First with each point without a region as a region of its own, for it votes for itself in the
    consistency and in the labels: so without regions it is 1. Then with such points as wrong.
    """
    table = ClassTable.read(root)
    num_classes = len(table)
    totals = np.zeros((2, num_classes + 1, num_classes + 1), np.int64)
    for scene in scene_dirs(root, split):
        if (scene / f"{table.label_file}.npy").is_file():
            segment = read_truth(scene, table)
            region = read_region(scene, len(segment))
            vote = majority_vote(region, segment, num_classes)
            votes = np.where(region < 0, segment, vote), vote
            totals += [confusion_with_misses(v, segment, num_classes) for v in votes]
    return tuple(float(mean_iou(total)) for total in totals) if totals.any() else None
