"""Regions of a prepared scene: of its points and of every view, with the numbers about them.

N points, V views of H x W pixels.
"""

import contextlib
import logging
import time
from pathlib import Path

from ...contracts.views import write_view_image
from ...files import write_array, write_json
from .. import apply, settings_of
from ..cloud import Cloud
from ..depth_view import DepthView
from ..methods import from_data
from . import records
from .inputs import read_frames, read_images, read_inputs
from .quality import add_up, boundary_of, measure
from .settings import Settings

logger = logging.getLogger(__name__)


def extract_regions(scene, settings: Settings):
    """Write region.npy and views/*.region.png of a scene; returns what regions.json records.

    regions.json is written last: it marks a scene as finished. The old one goes when the old
    regions do, and stays where the points cannot be partitioned.
    """
    scene = Path(scene)
    for killed in (*scene.glob(".region*"), *scene.glob("views/.*.region.png.*")):
        killed.unlink()  # what an atomic write leaves behind when its process dies
    sources = records.sources_of(scene, settings)
    with collected_warnings() as warnings:
        record = {
            "settings": settings.resolved(),
            "sources": sources,
            "points": extract_points(scene, settings),
            "views": extract_views(scene, settings),
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


def extract_points(scene, settings):
    """Partition the points of a scene into region.npy; returns the numbers."""
    method, preset, given = settings.of_points()
    points, given = read_inputs(scene, method, given)
    started = time.perf_counter()
    cloud = Cloud(points["coord"], points["normal"], points["color"])
    region = apply(cloud, method, preset, given, settings.fill)
    seconds = time.perf_counter() - started
    cloud.check_unit()
    segment = points.get("segment")
    boundary = (0, 0) if segment is None else boundary_of(cloud, region, segment)
    tally = measure(region, segment, boundary, seconds)
    (scene / records.NAME).unlink(missing_ok=True)
    write_array(scene / "region.npy", region)
    return {
        "spacing": cloud.spacing,
        "derived": from_data(cloud, **settings.resolved()["points"]),
        **tally.summary(),
        "counts": tally.to_json(),
    }


def extract_views(scene, settings):
    """Partition every view of a scene into views/*.region.png; returns the numbers."""
    views = read_frames(scene)
    tallies, found = [], {}
    for frame, intrinsic, size in zip(views.frame, views.intrinsic, views.size, strict=True):
        images = read_images(scene, frame, size)
        region, tally, found = partition_images(images, intrinsic, settings)
        write_view_image(scene, frame, "region", region)
        tallies.append(tally)
    total = add_up(tallies)
    return {"views": len(views), "derived": found, **total.summary(), "counts": total.to_json()}


def partition_images(images, intrinsic, settings):
    """Regions (H,W) of one view, the Tally of its pixels with depth, and `from_data` of it.

    images: depth (H,W) m, color (H,W,3), and where there are labels label (H,W).
    """
    method, preset, given = settings.of_views()
    label = images.get("label")
    if "segment" in settings_of(method):
        if label is None:
            raise ValueError(f"method {method!r} needs labels, and a view has no label image")
        given = {**given, "segment": label}
    started = time.perf_counter()
    view = DepthView(images["depth"], intrinsic, images["color"], settings.depth_noise)
    region = apply(view, method, preset, given, settings.fill)
    seconds = time.perf_counter() - started
    view.check_unit()
    # Pixels without depth have no region by definition; the partition is not to blame.
    segment = None if label is None else view.select(label)
    boundary = (0, 0) if label is None else boundary_of(view, region, label)
    tally = measure(view.select(region), segment, boundary, seconds)
    return region, tally, from_data(view, **settings.resolved()["views"])
