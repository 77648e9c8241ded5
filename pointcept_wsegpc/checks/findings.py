"""What is wrong with a scene or a data root: one line each, with what to do."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, field

LISTED = 3
COLUMNS = (
    ("points", "points", "{:d}"),
    ("spacing", "spacing m", "{:.4f}"),
    ("views", "views", "{:d}"),
    ("regions", "regions", "{:d}"),
    ("visible", "visible", "{:.0%}"),
    ("link_error", "|depth-z| links m", "{:.4f}"),
    ("median_error", "unhidden m", "{:.4f}"),
    ("fit", "on surface", "{:.0%}"),
)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. `wasted`: a training would fail on it, or learn nothing from it."""

    key: str  # the same for all scenes that have it; the report counts by it
    found: str  # what was found and what was expected, in one scene
    fix: str
    wasted: bool = True


@dataclass
class Findings:
    """Metrics by name, and problems, of a scene or of the data root."""

    metrics: dict = field(default_factory=dict)
    problems: list = field(default_factory=list)

    def add(self, key, found, fix, wasted=True):
        self.problems.append(Problem(key, found, fix, wasted))

    def has(self, *keys):
        return any(problem.key in keys for problem in self.problems)

    def drop(self, *keys):
        """Forget problems that another one explains."""
        self.problems = [problem for problem in self.problems if problem.key not in keys]

    def record(self):
        """As JSON holds it."""
        return {**self.metrics, "problems": [asdict(problem) for problem in self.problems]}


def is_wasted(report: dict) -> bool:
    """Whether a training on this data would be wasted."""
    return any(problem["wasted"] for problem in report["problems"])


def group_problems(scenes: dict[str, dict], others: list[dict]) -> list[dict]:
    """Problems of {scene: record} and of the root, one entry per kind, errors first.

    Each has key, wasted, found (of the first scene), fix, and the names of its scenes.
    """
    grouped = {}
    for problem in others:
        grouped[problem["key"], problem["found"]] = {**problem, "scenes": []}
    for name, record in scenes.items():
        for problem in record["problems"]:
            # The same mistake with another factor or axis is another line.
            kind = problem["key"], problem["fix"]
            grouped.setdefault(kind, {**problem, "scenes": []})["scenes"].append(name)
    return sorted(grouped.values(), key=lambda p: (not p["wasted"], -len(p["scenes"]), p["key"]))


def render(report: dict, rows: int | None = None) -> str:
    """The report as text; `rows`: maximum number of scenes in its table, worst fit first."""
    scenes, lines = report["scenes"], [f"data root {report['root']}", ""]
    by_split = defaultdict(int)
    for name in scenes:
        by_split[name.partition("/")[0]] += 1
    counts = ", ".join(f"{count} {split}" for split, count in sorted(by_split.items()))
    points = sum(record.get("points", 0) for record in scenes.values())
    views = sum(record.get("views", 0) for record in scenes.values())
    lines += [f"{len(scenes)} scenes ({counts}), {points} points, {views} views", ""]
    lines += _table(scenes, rows)
    expected = report["estimate"]
    lines += [
        "",
        f"training scenes: {expected['gigabytes']} GB on disk, {expected['steps']} steps, about "
        f"{expected['hours']} hours",
        f"  assumption: {expected['assumption']}",
        "",
    ]
    lines += [_line(problem, len(scenes)) for problem in report["problems"]]
    verdict = "a training on this data would be wasted; fix the lines marked ERROR first"
    fit = "fit for training" + ", but for the lines marked warning" * bool(report["problems"])
    lines.append(verdict if is_wasted(report) else fit)
    return "\n".join(lines) + "\n"


def _line(problem, count):
    where = ""
    if problem["scenes"]:
        names = problem["scenes"]
        more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
        where = f" [{len(names)} of {count} scenes: {', '.join(names[:LISTED])}{more}]"
    level = "ERROR  " if problem["wasted"] else "warning"
    return f"{level} {problem['found']}{where}; {problem['fix']}"


def worst_first(scenes: dict[str, dict]) -> list[str]:
    """Names of {scene: record}, those whose points fit their views worst first."""
    return sorted(scenes, key=lambda name: (scenes[name].get("fit", 2.0), name))


def _table(scenes, limit):
    chosen = sorted(worst_first(scenes)[:limit])
    width = max(len("scene"), *map(len, chosen))
    rows = ["  ".join(["scene".ljust(width), *(title for _, title, _ in COLUMNS)])]
    for name in chosen:
        record = scenes[name]
        cells = [
            (form.format(record[key]) if record.get(key) is not None else "-").rjust(len(title))
            for key, title, form in COLUMNS
        ]
        rows.append("  ".join([name.ljust(width), *cells]))
    if len(chosen) < len(scenes):
        rows.append(f"… and {len(scenes) - len(chosen)} that fit better")
    return rows
