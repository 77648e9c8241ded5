"""Regions of a prepared scene: of its points and of every view, with the numbers about them.

N points, V views of H x W pixels.
"""

from __future__ import annotations

import contextlib
import logging
import time
from pathlib import Path

import numpy as np

from ...contracts.views import write_view_image
from ...files import write_array, write_json
from ...files.claims import claim
from .. import Partition
from ..cloud import Cloud
from ..depth_view import DepthView
from . import records
from .inputs import read_frames, read_images, read_inputs
from .quality import Tally, boundary_of, measure
from .settings import RegionSettings, of_scene

logger = logging.getLogger(__name__)


def extract_regions(scene: str | Path, settings: RegionSettings) -> dict:
    """Write region.npy and views/*.region.png of a scene; returns what regions.json records.

    regions.json is written last: it marks a scene as finished. The old one goes when the old
    regions do, and stays where the points cannot be partitioned. Raises Held where another run is
    at this scene.
    """
    scene = Path(scene)
    with claim(scene / ".claim"):
        return _extract(scene, settings)


def _extract(scene, settings):
    for killed in (*scene.glob(".region*"), *scene.glob("views/.*.region.png.*")):
        killed.unlink()  # what an atomic write leaves behind when its process dies
    sources = records.sources_of(scene, settings)
    with collected_warnings() as warnings:
        record = {
            "settings": settings.values(),
            "sources": sources,
            "points": extract_points(scene, settings.points),
            "views": extract_views(scene, settings.views, settings.depth_noise),
            "warnings": warnings,
        }
    write_json(scene / records.NAME, record)
    for warning in warnings:
        logger.warning("%s/%s: %s", scene.parent.name, scene.name, warning)
    return record


@contextlib.contextmanager
def collected_warnings():
    """A list to which every message that the methods log as a warning is added, once."""
    messages = []

    def collect(record):
        if record.getMessage() not in messages:
            messages.append(record.getMessage())

    handler = logging.Handler(logging.WARNING)
    handler.emit = collect
    methods = logging.getLogger("pointcept_wsegpc.regions")
    propagate, methods.propagate = methods.propagate, False
    methods.addHandler(handler)
    try:
        yield messages
    finally:
        methods.removeHandler(handler)
        methods.propagate = propagate


def extract_points(scene: Path, partition: Partition) -> dict:
    """Partition the points of a scene into region.npy; returns the numbers."""
    partition = of_scene(partition, scene)
    arrays = partition.method.arrays
    points = read_inputs(scene, partition.needs, arrays)
    more = {name: points[name] for name in arrays if name in points}
    started = time.perf_counter()
    cloud = Cloud(points["coord"], points["normal"], points["color"], **more)
    region, derived = partition(cloud)
    seconds = time.perf_counter() - started
    cloud.check_unit()
    segment = points.get("segment")
    boundary = (0, 0) if segment is None else boundary_of(cloud, region, segment)
    tally = measure(region, segment, boundary, seconds)
    (scene / records.NAME).unlink(missing_ok=True)
    write_array(scene / "region.npy", region)
    return {"spacing": cloud.spacing, "derived": derived, **tally.numbers()}


def extract_views(scene: Path, partition: Partition, depth_noise: float) -> dict:
    """Partition every view of a scene into views/*.region.png; returns the numbers."""
    views = read_frames(scene)
    total, derived = Tally(), {}
    for frame, intrinsic, size in zip(views.frame, views.intrinsic, views.size, strict=True):
        images = read_images(scene, frame, size)
        region, tally, derived = partition_images(images, intrinsic, partition, depth_noise)
        write_view_image(scene, frame, "region", region)
        total += tally
    return {"views": len(views), "derived": derived, **total.numbers()}


def partition_images(
    images: dict, intrinsic: np.ndarray, partition: Partition, depth_noise: float
) -> tuple[np.ndarray, Tally, dict]:
    """Regions (H,W) of one view, the Tally of its pixels with depth, and what the data decided.

    images: depth (H,W) m, color (H,W,3), and where there are labels label (H,W).
    """
    label = images.get("label")
    more = {} if label is None or "segment" not in partition.method.arrays else {"segment": label}
    started = time.perf_counter()
    view = DepthView(images["depth"], intrinsic, images["color"], depth_noise, **more)
    region, derived = partition(view)
    seconds = time.perf_counter() - started
    view.check_unit()
    # Pixels without depth have no region by definition; the partition is not to blame.
    segment = None if label is None else view.select(label)
    boundary = (0, 0) if label is None else boundary_of(view, region, label)
    tally = measure(view.select(region), segment, boundary, seconds)
    return region, tally, derived
