"""Preparing captures of any kind: find them, and write each as a prepared scene.

N points, V views.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import numpy as np

from ..clouds.clean import is_measured
from ..clouds.normals import estimate_normals, orient_normals
from ..contracts.label_files import check_keys
from ..contracts.prepared import (
    OWN,
    is_prepared,
    is_whole,
    link_points,
    outside,
    recorded,
    staged,
    store_points,
    write_manifest,
)
from ..contracts.scene import MANIFEST, check_points, scenes_by_key
from ..contracts.tags import derive_tags
from ..files import read_json, write_array
from .base import BYTES_PER_PIXEL, BYTES_PER_POINT, CAPTURES, Capture, ViewSettings
from .frames import Frames, store_views
from .view_labels import LabelRenderer

logger = logging.getLogger(__name__)


def find_captures(kind: str, raw, root, settings: ViewSettings | None = None) -> list[Capture]:
    """All captures of a registered kind in the folder `raw`, whose scenes will go below `root`.

    Raises one line where there is none, for an output inside the raw data, and where two captures
    would become one scene.
    """
    cls = CAPTURES.get(kind)
    settings = settings or cls.settings()
    sources = {
        f.name: getattr(settings, f.name)
        for f in fields(settings)
        if f.metadata.get("source") and isinstance(getattr(settings, f.name), Path)
    }
    root, raw, *paths = outside(root, raw, *sources.values())
    settings = replace(settings, **dict(zip(sources, paths, strict=True)))
    captures = cls.find(raw, root, settings)
    if not captures:
        splits = getattr(settings, "split", ())
        named = f" of split {'/'.join(splits)}" if splits else ""
        raise FileNotFoundError(f"no scene{named} in {raw}; expected {cls.layout}: check --raw")
    try:
        check_keys(capture.key for capture in captures)
    except ValueError as error:
        raise ValueError(f"{raw}: {error}; rename it, or mend the list that names it") from None
    scenes_by_key((capture.target for capture in captures), root)
    return captures


def prepare(capture: Capture, settings: ViewSettings, skip: bool = False) -> dict:
    """Write the prepared scene of a capture, whole or not at all; returns its manifest.

    skip: leave a finished scene of the same settings. Raises ValueError or OSError, in one line,
    where the capture cannot be used, Held where another run is at it.
    """
    if capture.classes is not None:
        capture.classes.write(capture.root)
    common, settings = settings, capture.own_settings(settings)
    done = partial(is_prepared, capture, settings) if skip else lambda: False
    with staged(capture.root, capture.split, capture.name, done) as folder:
        if folder is None:  # another run was faster
            return read_json(capture.target / MANIFEST)
        if (capture.target / MANIFEST).is_file() and not is_whole(capture.target):
            logger.warning("%s: damaged, or files are missing; prepared again", capture.target)
        scene = capture.read(settings)
        _check_points(capture, scene.points)
        about = _store(folder, capture, scene, settings)
        if settings != common:
            there = recorded(common)
            about[OWN] = {k: v for k, v in recorded(settings).items() if v != there[k]}
        return write_manifest(folder, source=scene.source, settings=settings, **about)


def _store(folder, capture, scene, settings):
    """Write views and points of a scene; returns what its manifest says of them."""
    table, labels, frames = capture.classes, scene.labels, scene.views
    if not isinstance(frames, Frames):
        frames = Frames(settings.size, frames, name=lambda view: view.frame)
    segment = scene.points.get(table.label_file) if table else None
    if segment is not None:
        segment = table.clean(segment, f"{capture.key}: {table.label_file}")
        labels = LabelRenderer(scene.points["coord"], segment) if labels is None else labels
    views, entries = store_views(folder, frames, labels, scene.axis_alignment)
    further = scene.finish(views) if scene.finish else {}
    if not settings.allow_few_images:  # last: what finish finds says more
        frames.log.check_used(len(views), capture.key)
    _store_points(folder, scene, views)
    enough = getattr(settings, "min_tag_points", 1)
    tags = derive_tags(segment, table.names, enough) if table else None
    about = {"num_points": len(scene.points["coord"]), "tags": tags}
    return {**about, **entries, **scene.about, **further}


def is_done(capture: Capture, settings: ViewSettings) -> bool:
    """Whether the scene of a capture is there, made with these settings and its own."""
    try:
        own = capture.own_settings(settings)
    except (OSError, ValueError):  # preparing it will say what is wrong
        return False
    return is_prepared(capture, own)


def _check_points(capture, points):
    lengths = {key: len(array) for key, array in points.items()}
    if "coord" not in points or not lengths["coord"] or points["coord"].shape[1:] != (3,):
        raise ValueError(f"{capture.key} has no points; expected coord (N, 3): get it again")
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{capture.key}: arrays differ in length: {lengths}; get it again")
    good = is_measured(points["coord"])
    if not good.all():
        row = int(np.argmin(good))
        raise ValueError(
            f"{capture.key}: {(~good).sum()} of {len(good)} points have no usable coord, such as "
            f"point {row} with {points['coord'][row]}; expected numbers in meters: get it again"
        )
    check_points(points, capture.key, "mend it, or get it again")


def _store_points(folder, scene, views):
    """Write or link the arrays of the points, their normals complete."""
    points, estimated = dict(scene.points), scene.estimated
    if "normal" not in points:
        points["normal"] = estimate_normals(points["coord"])
        estimated = np.ones(len(points["coord"]), dtype=bool)
    if estimated is not None and estimated.any():
        cameras = np.linalg.inv(views.world_to_camera)[:, :3, 3]
        faced = orient_normals(points["coord"], points["normal"], cameras)
        points["normal"] = np.where(estimated[:, None], faced, points["normal"])
    if scene.linked is not None:
        link_points(scene.linked, folder)
        points = {key: points[key] for key in points.keys() - scene.points.keys()}
    store_points(folder, points)
    for name, array in scene.extra.items():
        write_array(folder / f"{name}.npy", array)


def estimate_bytes(captures: Iterable[Capture], settings: ViewSettings) -> int:
    """Approximate size of the prepared scenes in bytes.

    A capture that cannot be read counts as 0: it will fail later, with its own message.
    """
    total = 0.0
    for capture in captures:
        try:
            own = capture.own_settings(settings)
            views, points = capture.num_views(own), capture.num_points()
        except (OSError, ValueError):
            continue
        total += views * settings.height * settings.width * BYTES_PER_PIXEL
        total += points * BYTES_PER_POINT
    return int(total)
