"""Quality report of a data set's regions, from what each scene's regions.json records.

`build` makes the numbers, ready for JSON; report_text.py puts them into words.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from .. import PARTITIONS
from .quality import Tally
from .records import finished_record
from .settings import RegionSettings

WORST = 5  # scenes that the report names
KINDS = {"points": ("scene", "points"), "views": ("view", "pixels")}  # one of them, made of what
# What is said to be off in a scene: a number, its bound, how that reads, and whether settings are
# to be raised or lowered.
CHECKS = (
    ("unassigned", operator.gt, 0.2, "over a fifth of the {unit} is unassigned", "raise"),
    ("largest", operator.gt, 0.5, "one region holds over half of the {unit}: it leaks", "lower"),
    ("regions", operator.lt, 10, "there are fewer than 10 regions a {one}", "lower"),
    ("median_size", operator.lt, 10, "half of the regions are under 10 {unit}: shattered", "raise"),
)
SHARES = ("unassigned", "largest", "quality", "boundary_recall")
RANGES = ("regions", *SHARES, "spacing", "points_per_second")  # reported over scenes
SCENE_ONLY = ("largest", "regions")  # a view of a wall is one region, rightly


def read_records(
    scenes: dict[str, Path], settings: RegionSettings | None = None
) -> tuple[dict[str, dict], list[str]]:
    """{name: record} of the finished ones of {name: folder}, and the names of the others.

    settings: what counts as finished; None: whatever they were made with.
    """
    found = {name: finished_record(folder, settings) for name, folder in scenes.items()}
    records = {name: record for name, record in found.items() if record is not None}
    return records, [name for name in scenes if name not in records]


def build(records: dict[str, dict], missing: Iterable[str] = ()) -> dict:
    """All numbers of the report; records {scene: record}, missing: scenes without one."""
    settings = []
    for record in records.values():
        if record["settings"] not in settings:
            settings.append(record["settings"])
    report = {
        "scenes": len(records),
        "missing": list(missing),
        "settings": settings,
        "points": _pool([record["points"] for record in records.values()]),
        "views": _pool([record["views"] for record in records.values()]),
        "worst": worst_first(records)[:WORST],
        "warnings": {name: r["warnings"] for name, r in records.items() if r["warnings"]},
        "per_scene": {
            name: {kind: {k: v for k, v in record[kind].items() if k != "counts"} for kind in KINDS}
            for name, record in records.items()
        },
    }
    return {**report, "advice": advice(report)}


def _pool(entries):
    """The numbers of all scenes' points, or views, together, and their range over scenes."""
    total = sum((Tally.from_json(entry["counts"]) for entry in entries), Tally())
    derived = [entry["derived"] for entry in entries]
    speeds = [e["points_per_second"] for e in entries if "points_per_second" in e]
    ranges = {key: _range([e[key] for e in entries if key in e]) for key in RANGES}
    return {
        "number": total.partitions,
        **total.summary(),
        # A process loads compiled code in its first scene, so the median scene counts.
        **({"points_per_second": float(np.median(speeds))} if speeds else {}),
        "range": {key: value for key, value in ranges.items() if value},
        "derived": {k: _range([d[k] for d in derived if k in d]) for k in (derived or [{}])[0]},
        "sizes": total.sizes.tolist(),
    }


def _range(values):
    return [min(values), max(values)] if values else None


def worst_first(records: dict[str, dict]) -> list[str]:
    """Names of the scenes by majority-vote mIoU where there are labels, else by unassigned share.

    Those without labels come last among others; equal ones by name.
    """

    def badness(name):
        points = records[name]["points"]
        return ("quality" not in points, points.get("quality", -points.get("unassigned", 0)), name)

    return sorted(records, key=badness)


def three_scenes(records: dict[str, dict]) -> list[str]:
    """Names of the worst, the median and the best scene, of those with labels if there are any."""
    names = worst_first(records)
    names = [name for name in names if "quality" in records[name]["points"]] or names
    return list(dict.fromkeys([*names[:1], *names[len(names) // 2 :][:1], *names[-1:]]))


def advice(report: dict) -> list[str]:
    """One line for everything that looks wrong, with the settings to change."""
    lines = []
    if report["missing"]:
        first = report["missing"][0]
        lines.append(f"{len(report['missing'])} scenes are missing, {first} first")
    if len(report["settings"]) > 1:
        lines.append(f"scenes were made with {len(report['settings'])} different settings")
    if report["warnings"]:
        name, (message, *_) = next(iter(report["warnings"].items()))
        count = f"{len(report['warnings'])} of {report['scenes']} scenes"
        lines.append(f"warnings in {count}, {name}: {message}")
    for kind in KINDS if report["scenes"] else ():
        numbers = {name: entry[kind] for name, entry in report["per_scene"].items()}
        for check in CHECKS:
            if kind == "points" or check[0] not in SCENE_ONLY:
                lines += remarks(kind, numbers, check, report["settings"][0][kind])
    return lines


def remarks(kind, numbers, check, settings):
    """The line, if any, about one of CHECKS; numbers {scene: its numbers}."""
    key, beyond, bound, words, change = check
    off = {name: n[key] for name, n in numbers.items() if key in n and beyond(n[key], bound)}
    if not off:
        return []
    one, unit = KINDS[kind]
    worst = (max if beyond is operator.gt else min)(off, key=off.get)
    value = f"{off[worst]:.0%}" if bound < 1 else f"{off[worst]:.0f}"
    what = f"in {len(off)} of {len(numbers)} scenes {words.format(one=one, unit=unit)}"
    return [f"{kind}: {what} ({worst}: {value}); {remedy(kind, key, change, settings)}"]


def remedy(kind, key, change, settings):
    """Which settings to change, and how."""
    method = settings["method"]
    names = PARTITIONS.get(method).coarser if method in PARTITIONS.names() else ()
    if not names:
        return f"method {method!r} has no setting for that"
    flag = "--set" if kind == "points" else "--view-set"
    hint = f"{change} {' or '.join(names)}"
    if key in ("unassigned", "regions") and "min_size" in settings:
        hint += " or lower min_size" if change == "raise" else " or min_size"
    hint += f" ({flag})"
    return f"{hint}, or --fill" if key == "unassigned" else hint
