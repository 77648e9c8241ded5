"""Checks of a whole data root: its scenes and their tags."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from ..contracts.classes import ClassTable
from ..contracts.tag_doubts import contrast, name_doubts
from ..contracts.tags import TAGS_FILE, read_scene_tags
from .findings import Findings, group_problems
from .scene import Settings
from .schedule import Schedule, estimate, own_loop

LISTED = 5
HELD_OUT = ("val", "test", "Area_5")  # splits that no training reads


def check_tags(
    root: str | Path, scenes: list[str], records: dict[str, dict], table: ClassTable
) -> Findings:
    """Findings on the tags file.

    scenes: all of the root, as split/scene; records: {split/scene: record of check_scene} of those
    that were checked; table: the class table.
    """
    findings = Findings()
    path = Path(root) / TAGS_FILE
    try:
        tags = read_scene_tags(path)
    except (OSError, ValueError) as error:
        fix = "write it by hand, {scene: [class names]}, or run `wsegpc prepare` again"
        findings.add("tags-file", " ".join(str(error).split()), fix)
        return findings
    splits = {scene: split for split, _, scene in (name.partition("/") for name in scenes)}
    _check_coverage(findings, tags, splits)
    foreign = Counter(tag for listed in tags.values() for tag in listed if not table.find(tag))
    if foreign:
        some = ", ".join(f"{tag!r} ({count})" for tag, count in foreign.most_common(LISTED))
        what = f"{len(foreign)} names among the tags are not in the class table: {some}"
        findings.add("tags-foreign", what, f"rename them: {_unknown(foreign, table)}")
    tags = {scene: [table.find(tag) or tag for tag in listed] for scene, listed in tags.items()}
    used = Counter(tag for scene in splits for tag in set(tags.get(scene, ())) & set(table.names))
    findings.metrics.update(scenes_per_tag={name: used[name] for name in table.names})
    training = {s: tags[s] for s, split in splits.items() if split not in HELD_OUT and tags.get(s)}
    _check_contrast(findings, training, table)
    _compare_labels(findings, tags, records)
    return findings


def _check_contrast(findings, training, table):
    """Classes that all training scenes have, or none. training: {scene: classes}."""
    doubts = contrast(training, table.names, table.structural)
    learned = set(table.names).difference(*(doubt.names for doubt in doubts))
    for doubt in doubts:
        findings.add(doubt.key, doubt.found, doubt.fix, wasted=not learned)
    for doubt in name_doubts(table.names):
        findings.add(doubt.key, doubt.found, doubt.fix, wasted=False)


def _unknown(tags, table):
    """What the class table says of the tags that are no class, {tag: count}, the first few."""
    said = []
    for tag, _ in tags.most_common(LISTED):
        try:
            table.index(tag)
        except ValueError as error:
            said.append(str(error))
    return "; ".join(said)


def _check_coverage(findings, tags, splits):
    """Scenes without tags, and tags without a scene. splits: {scene: split}."""
    training = [scene for scene, split in splits.items() if split not in HELD_OUT]
    untagged = [scene for scene in training if scene not in tags]
    if untagged:
        what = f"{len(untagged)} training scenes have no entry in {TAGS_FILE}, {untagged[0]} first"
        findings.add("tags-missing", what, "add their tags")
    strangers = sorted(set(tags) - set(splits))
    if strangers:
        what = f"{len(strangers)} entries of {TAGS_FILE} are of no scene here, {strangers[0]} first"
        fix = "check the spelling of the scenes' names; ignore it if these scenes are elsewhere"
        findings.add("tags-strangers", what, fix, wasted=False)
    empty = [scene for scene in training if tags.get(scene) == []]
    if empty:
        what = f"{len(empty)} training scenes have an empty tag list, {empty[0]} first"
        findings.add("tags-empty", what, "add their tags, or leave the scenes out", wasted=False)


def _compare_labels(findings, tags, records):
    """Tags against the classes of the point labels, where there are labels."""
    labeled = {
        name.partition("/")[2]: set(record["labeled"])
        for name, record in records.items()
        if "labeled" in record
    }
    compared = [n for n in labeled if n in tags]
    differing = [n for n in compared if set(tags[n]) != labeled[n]]
    findings.metrics.update(tags_compared=len(compared), tags_differing=len(differing))
    if differing:
        first = differing[0]
        extra, lacking = set(tags[first]) - labeled[first], labeled[first] - set(tags[first])
        parts = [f"+{name}" for name in sorted(extra)] + [f"-{name}" for name in sorted(lacking)]
        what = (
            f"tags of {len(differing)} of {len(compared)} labeled scenes differ from their labels "
            f"({first}: {' '.join(parts[:LISTED])}{' …' * (len(parts) > LISTED)})"
        )
        findings.add(
            "tags-differ", what, f"delete {TAGS_FILE} to derive it again, or keep it", wasted=False
        )


def report_of(
    root: str | Path,
    records: dict[str, dict],
    tags: dict,
    settings: Settings,
    seconds: float,
    own: bool,
) -> dict:
    """The report, as JSON holds it.

    tags: record of check_tags; seconds: of a step; own: the schedule is that of own scans.
    """
    training = [r for name, r in records.items() if name.partition("/")[0] not in HELD_OUT]
    schedule = Schedule(seconds=seconds, num_views=settings.num_views)
    if own:
        loop = own_loop(len(training))
        schedule = replace(schedule, parts=((50, loop), (25, loop)))
    return {
        "root": str(root),
        "names": list(settings.table.names) if settings.table else [],
        "settings": {"depth_tolerance": settings.tolerance, "sample_views": settings.max_views},
        "scenes": records,
        "tags": {key: value for key, value in tags.items() if key != "problems"},
        "estimate": estimate(training, schedule),
        "problems": group_problems(records, tags["problems"]),
    }
