"""Checks of a whole data root: its scenes, their tags, its size and the training time to expect."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..contracts.classes import ClassTable
from ..contracts.tags import TAGS_FILE, read_scene_tags
from .findings import Findings

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
    never = [name for name in table.names if not used[name]]
    if never and used:
        what = f"no scene has the tags {', '.join(never[:LISTED])}{' …' * (len(never) > LISTED)}"
        findings.add("tags-unused", what, "these classes cannot be learned", wasted=False)
    _compare_labels(findings, tags, records)
    return findings


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


@dataclass(frozen=True)
class Schedule:
    """Stage one: epochs x loop of both parts (CMG, then CMG + RPC), and what a step takes.

    seconds: assumed of a step of `batch` scenes with the paper's networks on one recent GPU, at
    `voxels` a scene and `pixels` a view; it grows with both, half and half.
    """

    repetitions: int = 50 * 4 + 25 * 4
    batch: int = 4
    num_views: int = 6
    seconds: float = 1.0
    voxels: int = 80_000
    pixels: int = 320 * 240


def estimate(records: list[dict], schedule: Schedule) -> dict:
    """{steps, hours, gigabytes, assumption} of records of check_scene of the training scenes."""
    voxels = [record["voxels"] for record in records if record.get("voxels")]
    pixels = [math.prod(record["size"]) for record in records if record.get("size")]
    steps = math.ceil(len(records) / schedule.batch) * schedule.repetitions
    load = 0.5 * _relative(voxels, schedule.voxels) + 0.5 * _relative(pixels, schedule.pixels)
    return {
        "steps": steps,
        "hours": round(steps * schedule.seconds * load / 3600, 2),
        "gigabytes": round(sum(record.get("bytes", 0) for record in records) / 1e9, 3),
        "assumption": (
            f"stage one, {schedule.repetitions} passes in batches of {schedule.batch}, "
            f"{schedule.seconds:g} s a step on one GPU at {schedule.voxels} voxels a scene and "
            f"{schedule.num_views} views of {schedule.pixels} pixels (assumed, not measured; "
            "--seconds-per-step), scaled by this data"
        ),
    }


def _relative(values, reference):
    return sum(values) / len(values) / reference if values else 0.0
