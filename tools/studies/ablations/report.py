"""Writes the results of a table: Markdown, LaTeX, JSON. The JSON is all that they are made from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pointcept_wsegpc.files import atomic_path, read_json, write_json

from .results import BEFORE, OF_REGIONS

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
OTHER = "ScanNet (paper)"  # heading of the figures of the other data set
NONE = "-"
LATEX = {"\\": r"\textbackslash{}", "±": r"$\pm$", "→": r"$\to$"} | {c: f"\\{c}" for c in "&%#_"}


def write(result: dict, folder: Path) -> list[Path]:
    """Write <table>.json, .md and .tex into a folder."""
    paths = [folder / f"{result['table']}.{suffix}" for suffix in ("json", "md", "tex")]
    write_json(paths[0], result)
    result = read_json(paths[0])  # so that the texts can be made from it again
    for path, text in zip(paths[1:], (markdown(result), latex(result)), strict=True):
        with atomic_path(path) as temporary:
            Path(temporary).write_text(text, encoding="utf-8")
    return paths


# Cells --------------------------------------------------------------------------------------------


def cells(result: dict) -> dict[str, list[str]]:
    """{heading: the text of every row}, of the metrics and times that some row has."""
    rows = result["rows"]
    table = {"": [row["label"] for row in rows]}
    for name, head in (HEADS | TIMES).items():
        found = [row["metrics"].get(name) or row.get(name) for row in rows]
        if any(summary and summary["values"] for summary in found):
            table[head] = [entry(*pair) for pair in zip(rows, found, strict=True)]
    others = {
        "MiB": lambda row: number(row["memory_mib"], digits=0),
        "classes": lambda row: row["classes"] + (f", {n} occur" if (n := row["occurring"]) else ""),
        "scenes": lambda row: ", ".join(f"{k} {v}" for k, v in row["split"].items()),
        "tags at inference": lambda row: tags(row["tags"]),
        "seeds": lambda row: " ".join(map(str, row["seeds"])),
        "config": lambda row: row["config"],
        OTHER: lambda row: ", ".join(f"{name} {v:.1f}" for name, v in row["paper"].items()),
    }
    return table | {head: [text(row) or NONE for row in rows] for head, text in others.items()}


def entry(row: dict, summary: dict | None) -> str:
    """A metric or time of a row; with its seeds, where others of the row have not come so far."""
    text = number(summary)
    late = text != NONE and summary["seeds"] != row["seeds"]
    return f"{text} (seed {' '.join(map(str, summary['seeds']))})" if late else text


def number(summary: dict | None, digits: int = 1, sign: str = "-") -> str:
    if summary is None or summary["mean"] is None:
        return NONE
    text = f"{summary['mean']:{sign}.{digits}f}"
    return text if summary["spread"] is None else f"{text} ± {summary['spread']:.{digits}f}"


def difference(summary: dict | None) -> str:
    """+1.5 ± 0.4 (3 of 3), where 3 of 3 seeds are above 0."""
    values = summary["values"] if summary else ()
    above = f" ({sum(value > 0 for value in values)} of {len(values)})" if values else ""
    return number(summary, sign="+") + above


def tags(masked: dict[str, bool | None]) -> str:
    """Where scene tags mask the predictions that are evaluated."""
    said = []
    for flag, word in ((True, "yes"), (False, "no")):
        names = [name for name, value in masked.items() if value is flag]
        splits = dict.fromkeys("val" if name.startswith("val") else "train" for name in names)
        said += [f"{word} ({'/'.join(splits)})"] if splits else []
    return ", ".join(said)


def differences(title: str, rows: list[tuple[str, dict]], names: Iterable[str]) -> dict:
    """A table of differences of the same seed, with how many seeds are above 0."""
    names = [name for name in names if any(name in row["metrics"] for _, row in rows)]
    heads = {HEADS[name].removeprefix("val: "): name for name in names}
    return {title: [label for label, _ in rows]} | {
        head: [difference(row["metrics"].get(name)) for _, row in rows]
        for head, name in heads.items()
    }


def by_class(result: dict, metric: str) -> dict:
    """A table of the IoU of every class, mean over the seeds; of the rows that have the metric."""
    found = {row["label"]: row["iou"][metric] for row in result["rows"] if metric in row["iou"]}
    names = dict.fromkeys(name for iou in found.values() for name in iou)
    return {f"{HEADS[metric]}, IoU": list(found)} | {
        name: [f"{iou[name]:.1f}" if name in iou else NONE for iou in found.values()]
        for name in names
    }


def legend(result: dict, shown: Iterable[str]) -> list[str]:
    """Sentences under the table; shown: its headings."""
    measured = "training process, without its loader"
    if any(row["memory_of"] == "GPU" for row in result["rows"]):
        measured = "GPU"
    lines = [f"{HEADS[k]}: {v}." for k, v in result["metrics"].items() if HEADS[k] in shown]
    lines += [
        f"Unit: {result['unit']}.",
        "min: minutes of both parts of stage one, shared ones included; beside it, of stage two. "
        "Work that was repeated after an interruption counts.",
        f"MiB: peak memory of stage one: of the {measured}.",
        f"{OTHER}: {result['paper']}; not to be compared in value.",
    ]
    if result["options"]:
        options = ", ".join(f"{key} = {value!r}" for key, value in result["options"].items())
        lines.append(f"Options of stage one in every row: {options}.")
    lines += [result["note"]] if result["note"] else []
    if span := result["span"]:
        means = ", ".join(f"{HEADS[k]} {v:.1f}" for k, v in span["metrics"].items())
        lines.append(f"Highest minus lowest mean over {', '.join(span['rows'])}: {means}.")
    lines += [f"Failed: {title}: {why}." for title, why in result["failures"].items()]
    if result["not_started"]:
        lines.append(f"Not started, for they need these: {'; '.join(result['not_started'])}.")
    return lines


# Files --------------------------------------------------------------------------------------------


def markdown(result: dict) -> str:
    """The metrics of every row, what they mean, and then what every row is of."""
    table = cells(result)
    shown = [head for head in table if head in ("", *HEADS.values(), OTHER)]
    others = ["", *(head for head in table if head not in shown)]
    pairs = [(f"{c['what']}: {c['row']} over {c['over']}", c) for c in result["comparisons"]]
    gains = [(gain["row"], gain) for gain in result["stage_two_gains"]]
    compared = [name for name in HEADS if name not in ("coverage", *OF_REGIONS)]
    lines = [
        *(f"# {result['title']} on {result['dataset']}", "", f"    {result['command']}", ""),
        *piped({head: table[head] for head in shown}),
        *piped({head: table[head] for head in others}),
        *piped(differences("differences in", pairs, compared)),
        *piped(differences("val: stage two over", gains, BEFORE)),
        *(f"- {line}" for line in legend(result, shown)),
        *(f"- {result['where']}, pointcept_wsegpc {result['version']}.", ""),
        *(line for metric in ("3D", "2D") for line in piped(by_class(result, metric))),
    ]
    return "\n".join(lines[:-1]) + "\n"


def piped(table: dict[str, list[str]]) -> list[str]:
    """A Markdown table from {heading: texts}, and an empty line; nothing of a lone column."""
    rows = [list(table), ["---"] * len(table), *zip(*table.values(), strict=True)]
    lines = ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in rows]
    return [*lines, ""] if len(table) > 1 else []


def latex(result: dict) -> str:
    """A tabular (booktabs) with the legend as comments; needs T1 fonts and UTF-8, as LaTeX has."""
    table = cells(result)
    head, *rows = (
        " & ".join(cell.translate(str.maketrans(LATEX)) for cell in row) + r" \\"
        for row in (list(table), *zip(*table.values(), strict=True))
    )
    comments = (f"{result['title']} on {result['dataset']}", result["command"])
    lines = [
        *(f"% {line}" for line in (*comments, *legend(result, table))),
        rf"\begin{{tabular}}{{l{'r' * (len(table) - 7)}{'l' * 6}}}",
        *(r"\toprule", head, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}"),
    ]
    return "\n".join(lines) + "\n"
