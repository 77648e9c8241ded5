"""Data roots that share everything but their regions, and how good those are."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from pointcept_wsegpc import schema
from pointcept_wsegpc.files import write_array
from pointcept_wsegpc.regions.scenes import report

SPLITS = ("train", "val")
REGION_FILES = ("region.npy", "regions.json")
REGION_IMAGES = ".region.png"


def link_scenes(source: Path, root: Path) -> None:
    """Hard-link the prepared scenes and their tags to another root, without their regions.

    Files are replaced whole, never changed, so neither root sees what happens in the other. What is
    linked already stays. The tags come last: they mark the root as complete.
    """
    source = source.resolve()
    for split in SPLITS:
        for scene in schema.scene_dirs(source, split):
            for path in sorted(scene.rglob("[!.]*")):
                regions = path.name in REGION_FILES or path.name.endswith(REGION_IMAGES)
                if path.is_file() and not regions:
                    link(path, root / path.relative_to(source))
    link(source / schema.TAGS_FILE, root / schema.TAGS_FILE)


def link(path: Path, target: Path) -> None:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, target)


def leave_unassigned(root: Path) -> None:
    """Write regions in which no point and no pixel is: each votes for itself."""
    for split in SPLITS:
        for scene in schema.scene_dirs(root, split):
            count = len(np.load(scene / "coord.npy", mmap_mode="r"))
            views = schema.read_views(scene)
            for frame in views.frame:
                none = np.full(views.size, -1, np.int32)
                schema.write_view_image(scene, frame, "region", none)
            write_array(scene / "region.npy", np.full(count, -1, np.int32))


def quality(root: Path, split: str = "train") -> float | None:
    """mIoU of the regions' majority vote over a split; None where it was not recorded."""
    scenes = {scene.name: scene for scene in schema.scene_dirs(root, split)}
    records, missing = report.read_records(scenes)
    if missing:
        return None
    return report.build(records)["points"].get("quality")
