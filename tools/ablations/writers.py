"""Writes the results of a table: Markdown, LaTeX, JSON."""

from __future__ import annotations

from pathlib import Path

from pointcept_wsegpc.files import atomic_path, write_json

from .cells import HEADS, NONE, OTHER, cells, columns, headings, number
from .comparisons import BEFORE, OF_REGIONS

SAME = ("coverage", *OF_REGIONS)  # measures whose differences say nothing


def write(result: dict, folder: Path) -> list[Path]:
    """Write <table>.json, .md and .tex into a folder."""
    paths = [folder / f"{result['table']}.{suffix}" for suffix in ("json", "md", "tex")]
    write_json(paths[0], result)
    for path, text in zip(paths[1:], (markdown(result), latex(result)), strict=True):
        with atomic_path(path) as temporary:
            Path(temporary).write_text(text, encoding="utf-8")
    return paths


def legend(result: dict) -> list[str]:
    """Sentences under the table."""
    shown = [name for name in columns(result) if name in HEADS]
    lines = [f"{HEADS[name]}: {result['measures'][name]}." for name in shown]
    gpu = any(row["memory_of"] == "GPU" for row in result["rows"])
    return [
        *lines,
        f"Unit: {result['unit']}.",
        "min: minutes of both parts of stage one, shared ones included; beside it, of stage two. "
        "Work that was repeated after an interruption counts.",
        "MiB: peak memory of stage one: of the "
        f"{'GPU' if gpu else 'training process, without its loader'}.",
        f"{OTHER}: {result['paper']}; not to be compared in value.",
        *([f"Options of stage one in every row: {options(result)}."] if result["options"] else []),
        *([result["note"]] if result["note"] else []),
        *spanned(result["span"]),
        *failures(result["failures"], result["not_started"]),
    ]


def options(result: dict) -> str:
    return ", ".join(f"{key} = {value!r}" for key, value in result["options"].items())


def spanned(span: dict) -> list[str]:
    if not span:
        return []
    found = ", ".join(
        f"{HEADS[name]} {value:.1f}" for name, value in span["measures"].items() if name in HEADS
    )
    return [f"Highest minus lowest mean over {', '.join(span['rows'])}: {found}."]


def failures(lines: dict[str, str], not_started: list[str]) -> list[str]:
    """What failed, and what was not started because of it."""
    return [
        *(f"Failed: {title}: {line}." for title, line in lines.items()),
        *([f"Not started, for they need these: {'; '.join(not_started)}."] if not_started else []),
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
        *compared(result),
        *(f"- {line}" for line in legend(result)),
        f"- {result['where']}, pointcept_wsegpc {result['version']}.",
        *(line for measure in ("3D", "2D") for line in by_class(result, measure)),
    ]
    return "\n".join(lines) + "\n"


def compared(result: dict) -> list[str]:
    """Tables of the differences of the same seed: between rows, and of stage two over stage one."""
    between, two = result["comparisons"], result["stage_two_gains"]
    pairs = [(f"{c['what']}: {c['row']} over {c['over']}", c["measures"]) for c in between]
    gains = [(gain["row"], gain["measures"]) for gain in two]
    return [
        *differences("differences in", pairs, [name for name in HEADS if name not in SAME]),
        *differences("val: stage two over", gains, BEFORE),
    ]


def differences(title: str, rows, names) -> list[str]:
    """A table of (label, {measure: differences}) with how many seeds are above 0."""
    names = [name for name in names if any(name in measures for _, measures in rows)]
    if not names:
        return []
    lines = [[title, *(HEADS[name].removeprefix("val: ") for name in names)]]
    lines.append(["---"] * len(lines[0]))
    for label, measures in rows:
        lines.append([label, *(difference(measures.get(name)) for name in names)])
    return [*(piped(line, range(len(line))) for line in lines), ""]


def difference(summary: dict | None) -> str:
    """+1.5 ± 0.4 (3 of 3), where 3 of 3 seeds are above 0."""
    if not (summary and summary["values"]):
        return NONE
    above = sum(value > 0 for value in summary["values"])
    return f"{number(summary, sign='+')} ({above} of {len(summary['values'])})"


def by_class(result: dict, measure: str) -> list[str]:
    """A table of the IoU of every class, mean over the seeds; of the rows that have the measure."""
    found = {row["label"]: row["iou"][measure] for row in result["rows"] if measure in row["iou"]}
    names = list(dict.fromkeys(name for iou in found.values() for name in iou))
    if not names:
        return []
    rows = [[f"{HEADS[measure]}, IoU", *names], ["---"] * (len(names) + 1)]
    for label, iou in found.items():
        rows.append([label, *(f"{iou[name]:.1f}" if name in iou else NONE for name in names)])
    return ["", *(piped(row, range(len(row))) for row in rows)]


def piped(row: list[str], chosen: list[int]) -> str:
    return "| " + " | ".join(row[i].replace("|", "\\|") for i in chosen) + " |"


def latex(result: dict) -> str:
    """A tabular (booktabs) with the legend as comments; needs T1 fonts and UTF-8, as LaTeX has."""
    names = columns(result)
    rows = [escape(cells(row, names)) for row in result["rows"]]
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
    "±": r"$\pm$",
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
