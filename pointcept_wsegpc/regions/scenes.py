"""Regions of a prepared scene: of its points and of every view, with the numbers about them.

N points, R regions, C classes, V views of H x W pixels.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from ..files import read_json, write_array, write_json
from ..labels import IGNORE, SCANNET20_NAMES
from ..metrics import mean_iou, partition_confusion
from ..schema import read_points, read_view_image, read_views, view_path, write_view_image
from . import fill_unassigned, partition, partition_view, resolve

NUM_CLASSES = len(SCANNET20_NAMES)


@dataclass(frozen=True)
class Settings:
    """How points and views are partitioned; other values mean doing it again."""

    method: str = "growing"
    points: dict = field(default_factory=dict)  # keyword arguments of the method
    views: dict = field(default_factory=dict)  # of partition_view
    fill: bool = False  # unassigned points take the region of the nearest assigned one

    def __post_init__(self):
        """Raise ValueError for an unknown method or setting, before the first scene is read."""
        resolve(self.method, None, self.points)
        resolve("growing", None, {k: v for k, v in self.views.items() if k != "depth_noise"})


def is_extracted(scene, settings):
    """Whether the scene's regions are there, made with the same settings."""
    record = Path(scene) / "regions.json"
    return record.is_file() and read_json(record)["settings"] == asdict(settings)


def extract_regions(scene, settings):
    """Write region.npy and views/*.region.png of a scene; returns what regions.json records.

    regions.json is written last: it marks a scene as finished.
    """
    scene = Path(scene)
    (scene / "regions.json").unlink(missing_ok=True)
    for killed in (*scene.glob(".region.npy.*"), *scene.glob("views/.*.region.png.*")):
        killed.unlink()  # what an atomic write leaves behind when its process dies
    record = {
        "settings": asdict(settings),
        "points": extract_points(scene, settings),
        "views": extract_views(scene, settings),
    }
    write_json(scene / "regions.json", record)
    return record


def extract_points(scene, settings):
    """Partition the points of a scene into region.npy; returns the numbers."""
    labelled = (scene / "segment20.npy").is_file()
    keys = ["coord", "normal", "color"] + ["segment20"] * labelled
    points = read_points(scene, keys)
    coord = points["coord"]
    region = partition(
        coord, points["normal"], points["color"], method=settings.method, **settings.points
    )
    if settings.fill:
        region = fill_unassigned(coord, region)
    write_array(scene / "region.npy", region.astype(np.int32))
    numbers = {
        "regions": int(region.max(initial=-1)) + 1,
        "unassigned": float((region < 0).mean()) if len(region) else 0.0,
    }
    if labelled:
        numbers |= _quality(partition_confusion(region, points["segment20"], NUM_CLASSES))
    return numbers


def extract_views(scene, settings):
    """Partition every view of a scene into views/*.region.png; returns the numbers."""
    views = read_views(scene)
    regions, unassigned, pixels = 0, 0, 0
    total = np.zeros((NUM_CLASSES + 1, NUM_CLASSES + 1), dtype=np.int64)
    for frame, intrinsic in zip(views.frame, views.intrinsic, strict=True):
        depth = read_view_image(scene, frame, "depth", views.size)
        region = partition_view(depth, intrinsic, **settings.views)
        write_view_image(scene, frame, "region", region)
        regions += int(region.max(initial=-1)) + 1
        seen = depth > 0
        unassigned, pixels = unassigned + int((region[seen] < 0).sum()), pixels + int(seen.sum())
        if view_path(scene, frame, "label").is_file():
            label = read_view_image(scene, frame, "label", views.size)
            # Pixels without depth have no region by definition; the partition is not to blame.
            total += partition_confusion(region, np.where(seen, label, IGNORE), NUM_CLASSES)
    numbers = {
        "views": len(views),
        "regions": regions / max(len(views), 1),  # per view
        "unassigned": unassigned / max(pixels, 1),  # of the pixels with depth
    }
    return numbers | (_quality(total) if total.any() else {})


def _quality(confusion):
    """Majority-vote mIoU, and the three counts per class that give it over many scenes."""
    return {
        "quality": mean_iou(confusion),
        "counts": {
            "intersection": np.diag(confusion).tolist(),
            "target": confusion.sum(1).tolist(),
            "predicted": confusion.sum(0).tolist(),
        },
    }


def pooled_quality(numbers):
    """Majority-vote mIoU over all scenes, from what `extract_points` or `_views` returned.

    NaN where no scene has labels.
    """
    counts = [entry["counts"] for entry in numbers if "counts" in entry]
    if not counts:
        return float("nan")
    intersection, target, predicted = (
        np.sum([entry[key] for entry in counts], axis=0)
        for key in ("intersection", "target", "predicted")
    )
    union = target + predicted - intersection
    occurs = target > 0
    return float((intersection[occurs] / union[occurs]).mean()) if occurs.any() else float("nan")
