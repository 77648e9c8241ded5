"""`wsegpc check` of raw own scans, before anything is prepared from them."""

from __future__ import annotations

import functools
import shutil
import tempfile
from dataclasses import fields, replace
from pathlib import Path

from ..captures.base import Capture, ViewSettings
from ..captures.folder.scene import FolderCapture
from ..captures.folder.tags import TAGS_FILES
from ..captures.preparing import find_captures, prepare
from ..checks.root import check_tags, report_of
from ..checks.scene import Settings, check_scene
from ..checks.schedule import Schedule
from ..clouds.read import find_cloud
from ..contracts.classes import ClassTable
from ..contracts.prepared import ROOT_FILE
from ..contracts.scene import find_scenes
from ..jobs.scenes import JobOptions
from . import unknown
from .errors import one_line

SCANS = "scans"  # the kind of capture
REGIONS = ("missing-region", "missing-region-images")  # problems, before there are regions


def is_raw(folder: Path) -> bool:
    """Whether a folder has own scans that are not prepared."""
    if (folder / ROOT_FILE).is_file() or find_scenes(folder):
        return False
    return any((folder / name).is_file() for name in TAGS_FILES) or any(
        map(_has_cloud, folder.glob("[!.]*/"))
    )


def _has_cloud(scan):
    try:
        find_cloud(scan)
    except FileNotFoundError:
        return False
    except ValueError:  # several
        return True
    return True


def parsed_settings(given: dict[str, str]) -> ViewSettings:
    """The settings of own scans, from {name: text}; ValueError for what is none."""
    default = FolderCapture.settings()
    known = {field.name: type(getattr(default, field.name)) for field in fields(default)}
    for name in given:
        if name not in known:
            raise ValueError(f"--set {name}: {unknown(name, known, 'setting')}")
    try:
        return replace(default, **{name: _value(known[name], given[name]) for name in given})
    except ValueError as error:
        raise ValueError(f"--set {given}: {error}") from error


def _value(kind, text):
    return text.casefold() in ("1", "true", "yes") if kind is bool else kind(text)


def check_scans(raw: Path, given: dict, settings: Settings, jobs: JobOptions) -> dict:
    """The report on the user's raw scans, some views of each of which are prepared on trial.

    given: {setting: text} of their preparation.
    """
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        chosen = parsed_settings(given)
        found = {c.key: c for c in find_captures(SCANS, raw, root, chosen)}
        mine = {name: found[name] for name in jobs.share(found)}
        tags, table = {"problems": []}, None
        try:
            FolderCapture.begin(raw, root, list(found.values()))
            table = ClassTable.read(root)
        except (OSError, ValueError) as error:
            fix = "until then no scene can be prepared"
            problem = {"key": "tags-file", "found": one_line(error), "fix": fix, "wasted": True}
            tags["problems"].append(problem)
        trial = functools.partial(check_capture, settings=chosen, checks=settings)
        outcome = jobs.run(trial, mine, title="check")
        records = outcome.done | {n: refused(w, found[n]) for n, w in outcome.failed.items()}
        records = dict(sorted(records.items()))
        if table:
            tags = check_tags(root, list(found), records, table).record()
        settings = replace(settings, table=table)
        return report_of(raw, records, tags, settings, Schedule.seconds, own=True)


def check_capture(capture: Capture, settings: ViewSettings, checks: Settings) -> dict:
    """The record of a raw scan, from evenly spread views of it; regions come later."""
    every = capture.num_views(settings) // checks.max_views
    prepare(capture, replace(settings, stride=settings.stride * max(every, 1)))
    try:
        record = check_scene(capture.target, checks)
    finally:
        shutil.rmtree(capture.target)
    return {**record, "problems": [p for p in record["problems"] if p["key"] not in REGIONS]}


def refused(reason: str, capture: Capture) -> dict:
    """The record of a raw scan that cannot be prepared."""
    found, _, fix = reason.removeprefix(f"{capture.folder}: ").rpartition("; ")
    problem = {"key": "refused", "found": found or fix, "fix": fix if found else "mend it"}
    return {"problems": [{**problem, "wasted": True}]}
