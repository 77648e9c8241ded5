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
TIMES = {"minutes": "min", "minutes_stage_two": "min, stage two"}
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
    """The measures and times that some row has."""
    rows = result["rows"]
    measures = [name for name in HEADS if any(name in row["measures"] for row in rows)]
    return measures + [name for name in TIMES if any(row[name]["values"] for row in rows)]


def cells(row: dict, names, plus_minus="±") -> list[str]:
    """The texts of a row, in the order of `headings`."""
    found = [over_seeds(row, name, plus_minus) for name in names]
    split = ", ".join(f"{name} {count}" for name, count in row["split"].items())
    occurring = f", {row['occurring']} occur" if row["occurring"] else ""
    return [
        row["label"],
        *found,
        number(row["memory_mib"], plus_minus, digits=0),
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


def over_seeds(row: dict, name: str, plus_minus: str) -> str:
    """A measure or time of a row; with its seeds, where others of the row have not come so far."""
    summary = row[name] if name in TIMES else row["measures"].get(name)
    text = number(summary, plus_minus)
    if text == NONE or summary["seeds"] == row["seeds"]:
        return text
    return f"{text} (seed {' '.join(map(str, summary['seeds']))})"


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
    shown = [name for name in columns(result) if name in HEADS]
    lines = [f"{HEADS[name]}: {result['measures'][name]}." for name in shown]
    gpu = any(row["memory_of"] == "GPU" for row in result["rows"])
    return [
        *lines,
        f"Unit: {result['unit']}.",
        "min: minutes of both parts of stage one, shared ones included; beside it, of stage two.",
        "MiB: peak memory of stage one: of the "
        f"{'GPU' if gpu else 'training process, without its loader'}.",
        f"{OTHER}: {result['paper']}; not to be compared in value.",
        *([f"Options of stage one in every row: {options(result)}."] if result["options"] else []),
        *([result["note"]] if result["note"] else []),
        *failures(result["failures"]),
    ]


def options(result: dict) -> str:
    return ", ".join(f"{key} = {value!r}" for key, value in result["options"].items())


def failures(lines: dict[str, str]) -> list[str]:
    """What failed, and how many jobs were not started because of it."""
    causes = {title: line for title, line in lines.items() if not line.startswith("needs ")}
    waiting = len(lines) - len(causes)
    return [
        *(f"Failed: {title}: {line}." for title, line in causes.items()),
        *([f"Not started, for they need these: {waiting} jobs."] if waiting else []),
    ]


def markdown(result: dict) -> str:
    """The measures of every row, what they mean, and then what every row is of."""
    names = columns(result)
    heads = headings(names)
    rows = [heads, ["---"] * len(heads), *(cells(row, names) for row in result["rows"])]
    measures = [0, *(i for i, name in enumerate(names, 1) if name in HEADS), len(heads) - 1]
    others = [0, *sorted(set(range(len(heads))) - set(measures))]
    lines = [
        f"# {result['title']} on {result['dataset']}",
        "",
        f"    {result['command']}",
        "",
        *(piped(row, measures) for row in rows),
        "",
        *(piped(row, others) for row in rows),
        "",
        *(f"- {line}" for line in legend(result)),
        f"- {result['where']}, pointcept_wsegpc {result['version']}.",
    ]
    return "\n".join(lines) + "\n"


def piped(row: list[str], chosen: list[int]) -> str:
    return "| " + " | ".join(row[i].replace("|", "\\|") for i in chosen) + " |"


def latex(result: dict) -> str:
    """A tabular (booktabs) with the legend as comments; needs T1 fonts and UTF-8, as LaTeX has."""
    names = columns(result)
    rows = [escape(cells(row, names, "PLUSMINUS")) for row in result["rows"]]
    spec = "l" + "r" * (len(names) + 1) + "l" * 6
    lines = [
        f"% {result['title']} on {result['dataset']}",
        f"% {result['command']}",
        *(f"% {line}" for line in legend(result)),
        rf"\begin{{tabular}}{{{spec}}}",
        r"\toprule",
        " & ".join(escape(headings(names))) + r" \\",
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
