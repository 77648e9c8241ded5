"""The texts in the cells of a table."""

from __future__ import annotations

HEADS = {
    "3D": "3D",
    "3D voted": "3D, vote",
    "2D": "2D",
    "coverage": "coverage",
    "val stage one": "val: stage one",
    "val stage one voted": "val: stage one, vote",
    "val stage two": "val: stage two",
    "partition": "regions",
    "partition strict": "regions, unassigned wrong",
}
TIMES = {"minutes": "min", "minutes_stage_two": "min, stage two"}
NONE = "-"
OTHER = "ScanNet (paper)"  # heading of the figures of the other data set


def columns(result: dict) -> list[str]:
    """The measures and times that some row has."""
    rows = result["rows"]
    measures = [name for name in HEADS if any(name in row["measures"] for row in rows)]
    return measures + [name for name in TIMES if any(row[name]["values"] for row in rows)]


def cells(row: dict, names) -> list[str]:
    """The texts of a row, in the order of `headings`."""
    found = [entry(row, name) for name in names]
    split = ", ".join(f"{name} {count}" for name, count in row["split"].items())
    occurring = f", {row['occurring']} occur" if row["occurring"] else ""
    return [
        row["label"],
        *found,
        number(row["memory_mib"], digits=0),
        row["classes"] + occurring,
        split or NONE,
        tags(row),
        " ".join(map(str, row["seeds"])) or NONE,
        row["config"],
        ", ".join(f"{name} {value:.1f}" for name, value in row["paper"].items()) or NONE,
    ]


def headings(names) -> list[str]:
    fixed = ["MiB", "classes", "scenes", "tags at inference", "seeds", "config", OTHER]
    return ["", *({**HEADS, **TIMES}[name] for name in names), *fixed]


def entry(row: dict, name: str) -> str:
    """A measure or time of a row; with its seeds, where others of the row have not come so far."""
    summary = row[name] if name in TIMES else row["measures"].get(name)
    text = number(summary)
    if text == NONE or summary["seeds"] == row["seeds"]:
        return text
    return f"{text} (seed {' '.join(map(str, summary['seeds']))})"


def number(summary: dict | None, digits: int = 1, sign: str = "-") -> str:
    if summary is None or summary["mean"] is None:
        return NONE
    text = f"{summary['mean']:{sign}.{digits}f}"
    if summary["spread"] is not None:
        text += f" ± {summary['spread']:.{digits}f}"
    return text


def tags(row: dict) -> str:
    """Where scene tags mask the predictions that are measured."""
    used = {True: [], False: []}
    for name, masked in row["tags"].items():
        if masked is not None:
            used[masked].append("val" if name.startswith("val") else "train")
    said = [f"{'yes' if m else 'no'} ({'/'.join(dict.fromkeys(used[m]))})" for m in used if used[m]]
    return ", ".join(said) or NONE
