"""Writes the results of a table: Markdown, LaTeX, JSON."""

from __future__ import annotations

from pathlib import Path

from pointcept_wsegpc.files import atomic_path, write_json

HEADS = {
    "3D": "3D",
    "3D voted": "3D, vote",
    "2D": "2D",
    "coverage": "coverage",
    "val stage one": "val: stage one",
    "val stage one voted": "val: stage one, vote",
    "val stage two": "val: stage two",
    "partition": "regions",
}
NONE = "-"
OTHER = "ScanNet (paper)"  # heading of the figures of the other data set


def write(result: dict, folder: Path) -> list[Path]:
    """Write <table>.json, .md and .tex into a folder."""
    paths = [folder / f"{result['table']}.{suffix}" for suffix in ("json", "md", "tex")]
    write_json(paths[0], result)
    for path, text in zip(paths[1:], (markdown(result), latex(result)), strict=True):
        with atomic_path(path) as temporary:
            Path(temporary).write_text(text, encoding="utf-8")
    return paths


def columns(result: dict) -> list[str]:
    """The measures that some row has."""
    return [name for name in HEADS if any(name in row["measures"] for row in result["rows"])]


def cells(row: dict, measures, plus_minus="±") -> list[str]:
    """The texts of a row, in the order of `headings`."""
    found = [number(row["measures"].get(name), plus_minus) for name in measures]
    split = ", ".join(f"{name} {count}" for name, count in row["split"].items())
    occurring = f", {row['occurring']} occur" if row["occurring"] else ""
    return [
        row["label"],
        *found,
        number(row["minutes"], plus_minus),
        number(row["memory_mib"], plus_minus, digits=0),
        row["classes"] + occurring,
        split or NONE,
        tags(row),
        " ".join(map(str, row["seeds"])) or NONE,
        row["config"],
        ", ".join(f"{name} {value:.1f}" for name, value in row["paper"].items()) or NONE,
    ]


def headings(measures) -> list[str]:
    fixed = ["min", "MiB", "classes", "scenes", "tags at inference", "seeds", "config", OTHER]
    return ["", *(HEADS[name] for name in measures), *fixed]


def number(summary: dict | None, plus_minus: str, digits: int = 1) -> str:
    if summary is None or summary["mean"] is None:
        return NONE
    text = f"{summary['mean']:.{digits}f}"
    if summary["spread"] is not None:
        text += f" {plus_minus} {summary['spread']:.{digits}f}"
    return text


def tags(row: dict) -> str:
    """Where scene tags mask the predictions that are measured."""
    used = {True: [], False: []}
    for name, masked in row["tags"].items():
        if masked is not None:
            used[masked].append("val" if name.startswith("val") else "train")
    said = [f"{'yes' if m else 'no'} ({'/'.join(dict.fromkeys(used[m]))})" for m in used if used[m]]
    return ", ".join(said) or NONE


def legend(result: dict) -> list[str]:
    """Sentences under the table."""
    shown = columns(result)
    lines = [f"{HEADS[name]}: {result['measures'][name]}." for name in shown]
    gpu = any(row["memory_of"] == "GPU" for row in result["rows"])
    return [
        *lines,
        f"Unit: {result['unit']}.",
        f"min: minutes of all trainings of the row, shared ones included. MiB: peak memory of the "
        f"{'GPU' if gpu else 'training process, without its loader'}.",
        f"{OTHER}: {result['paper']}; not to be compared in value.",
        *([result["note"]] if result["note"] else []),
        *failures(result["failures"]),
    ]


def failures(lines: dict[str, str]) -> list[str]:
    """What failed, and how many jobs were not started because of it."""
    causes = {title: line for title, line in lines.items() if not line.startswith("needs ")}
    waiting = len(lines) - len(causes)
    return [
        *(f"Failed: {title}: {line}." for title, line in causes.items()),
        *([f"Not started, for they need these: {waiting} jobs."] if waiting else []),
    ]


def markdown(result: dict) -> str:
    measures = columns(result)
    heads = headings(measures)
    rows = [heads, ["---"] * len(heads), *(cells(row, measures) for row in result["rows"])]
    lines = [
        f"# {result['title']} on {result['dataset']}",
        "",
        f"    {result['command']}",
        "",
        *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows),
        "",
        *(f"- {line}" for line in legend(result)),
        f"- {result['where']}, pointcept_wsegpc {result['version']}.",
    ]
    return "\n".join(lines) + "\n"


def latex(result: dict) -> str:
    """A tabular (booktabs) with the legend as comments; needs T1 fonts and UTF-8, as LaTeX has."""
    measures = columns(result)
    rows = [escape(cells(row, measures, "PLUSMINUS")) for row in result["rows"]]
    spec = "l" + "r" * (len(measures) + 2) + "l" * 6
    lines = [
        f"% {result['title']} on {result['dataset']}",
        f"% {result['command']}",
        *(f"% {line}" for line in legend(result)),
        rf"\begin{{tabular}}{{{spec}}}",
        r"\toprule",
        " & ".join(escape(headings(measures))) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


LATEX = {
    "\\": r"\textbackslash{}",
    "PLUSMINUS": r"$\pm$",
    "→": r"$\to$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
}


def escape(texts) -> list[str]:
    escaped = []
    for text in texts:
        for character, replacement in LATEX.items():
            text = text.replace(character, replacement)
        escaped.append(text)
    return escaped
