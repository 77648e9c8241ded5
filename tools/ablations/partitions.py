"""Data roots that share everything but their regions, and how good those are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from main_job.report import read_truth
from pointcept_wsegpc.contracts.classes import CLASSES_FILE, ClassTable
from pointcept_wsegpc.contracts.scene import read_region, scene_dirs
from pointcept_wsegpc.contracts.tags import TAGS_FILE
from pointcept_wsegpc.contracts.views import read_views, write_view_image
from pointcept_wsegpc.files import link_or_copy, write_array
from pointcept_wsegpc.metrics import majority_vote, mean_iou, scene_confusions

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
            for frame, size in zip(views.frame, views.size, strict=True):
                none = np.full(size, -1, np.int32)
                write_view_image(scene, frame, "region", none)
            write_array(scene / "region.npy", np.full(count, -1, np.int32))


def quality(root: Path) -> tuple[float, float] | None:
    """mIoU, 0..1, of the regions' majority vote in training; None where no point is labelled.

    First with each point without a region as a region of its own, for it votes for itself in the
    consistency and in the labels: so without regions it is 1. Then with such points as wrong.
    """
    table = ClassTable.read(root)
    num_classes, totals = len(table), {}
    for scene in scene_dirs(root, "train"):
        if (scene / f"{table.label_file}.npy").is_file():
            segment = read_truth(scene, table)
            region = read_region(scene, len(segment))
            vote = majority_vote(region, segment, num_classes)
            own = np.where(region < 0, segment, vote)
            pairs = {"own": (own, segment), "wrong": (vote, segment)}
            for name, counts in scene_confusions(pairs, num_classes).items():
                totals[name] = totals.get(name, 0) + counts
    labelled = any(counts.any() for counts in totals.values())
    return tuple(map(mean_iou, totals.values())) if labelled else None
