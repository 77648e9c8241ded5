"""What regions.json records of a scene, and whether the scene is finished. V views.

A record that is damaged, or of another version, is none: the scene is not finished.
"""

from __future__ import annotations

import os
from pathlib import Path

from ...contracts.views import read_views, view_path
from ...files import read_json
from ...files.arrays import read_array
from .quality import Tally
from .settings import RegionSettings, files_of, of_scene

NAME = "regions.json"


def is_extracted(scene: str | Path, settings: RegionSettings) -> bool:
    """Whether the scene's regions are there, made with the same settings from the same files."""
    return finished_record(scene, settings) is not None


def finished_record(scene: str | Path, settings: RegionSettings | None = None) -> dict | None:
    """The record of a scene whose regions are all there; None where they are not.

    settings: those that they have to be made with; None: whatever they are.
    """
    scene = Path(scene)
    record = read_record(scene)
    if record is None or not has_regions(scene):
        return None
    if settings is not None:
        same = record["settings"] == settings.values()
        if not same or changed(record["sources"], sources_of(scene, settings)):
            return None
    return record


def read_record(scene: str | Path) -> dict | None:
    """The record of a scene; None where there is none that makes sense to this version."""
    try:
        record = read_json(Path(scene) / NAME)
        warnings, settings = record["warnings"], record["settings"]
        words = [*warnings, settings["points"]["method"], settings["views"]["method"]]
        if not isinstance(warnings, list) or not all(isinstance(word, str) for word in words):
            raise TypeError(f"{words} are not all strings")
        return {
            "settings": settings,
            "sources": dict(record.get("sources", {})),
            "points": read_numbers(record["points"], "spacing"),
            "views": read_numbers(record["views"], "views"),
            "warnings": warnings,
        }
    except Exception:  # damage can make the readers raise anything
        return None


def read_numbers(entry, own):
    """What is recorded of points or views; what follows from the counts is computed anew.

    own: the name of the number that only one of them has.
    """
    derived = {str(name): float(value) for name, value in entry["derived"].items()}
    return {
        own: float(entry[own]),
        "derived": derived,
        **Tally.from_json(entry["counts"]).numbers(),
    }


def has_regions(scene):
    """Whether every point and every view has its regions; no array is read."""
    try:
        views = read_views(scene)
        points, region = (read_array(scene / f"{k}.npy", mmap=True) for k in ("coord", "region"))
        there = [view_path(scene, frame, "region").is_file() for frame in views.frame]
        return region.shape == points.shape[:1] and all(there)
    except Exception:  # damage can make the readers raise anything
        return False


def sources_of(scene: Path, settings: RegionSettings) -> dict[str, list]:
    """{setting: [path, bytes, time of change]} of the files beside a scene that regions are made
    from; for those that are missing, the path alone.
    """
    sources = {}
    for key, path in files_of(of_scene(settings.points, scene)).items():
        sources[key] = [path]
        if os.path.isfile(path):
            status = os.stat(path)
            sources[key] += [status.st_size, status.st_mtime_ns]
    return sources


def changed(before, now):
    """Whether a source has changed since; one that is gone has not."""
    return any(len(now[key]) > 1 and now[key] != before.get(key) for key in now)
