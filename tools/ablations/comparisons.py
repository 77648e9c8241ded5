"""What the rows of a table show beside each other, from their results."""

from __future__ import annotations

from .rows import Comparison
from .summaries import over_seeds

UNSEEN, BEFORE = "val stage two", ("val stage one", "val stage one voted")
OF_REGIONS = ("partition", "partition strict")  # measures that no training changes: one value


def compare(comparisons: tuple[Comparison, ...], rows: list[dict]) -> list[dict]:
    """Every comparison's differences, seed by seed, of the trainings' measures that its rows have.

    Between rows of one seed only what sets them apart differs: rooms, samples and first weights are
    the same. Comparisons whose rows have no seed in common are left out.
    """
    found = {row["label"]: row for row in rows}
    results = []
    for comparison in comparisons:
        row = found.get(comparison.row, {"measures": {}})
        names = [name for name in row["measures"] if name not in OF_REGIONS]
        measures = {name: over_seeds(gains(comparison, name, found)) for name in names}
        measures = {name: summary for name, summary in measures.items() if summary["values"]}
        if measures:
            results.append({**vars(comparison), "measures": measures})
    return results


def gains(comparison: Comparison, measure: str, found: dict[str, dict]) -> dict:
    """{seed: difference} of a comparison in one measure."""
    gained = minus(found, (comparison.row, comparison.over), measure)
    if comparison.less is None:
        return gained
    less = minus(found, comparison.less, measure)
    return {seed: gained[seed] - less[seed] for seed in gained if seed in less}


def minus(found, labels, measure):
    high, low = (values(found.get(label), measure) for label in labels)
    return {seed: high[seed] - low[seed] for seed in high if seed in low}


def stage_two_gains(rows: list[dict]) -> list[dict]:
    """How far stage two is above the stage one whose labels it learnt, in unseen scenes."""
    results = []
    for row in rows:
        after = values(row, UNSEEN)
        measures = {}
        for name in BEFORE:
            before = values(row, name)
            measures[name] = over_seeds({s: after[s] - before[s] for s in after if s in before})
        if after:
            results.append({"row": row["label"], "measures": measures})
    return results


def values(row: dict | None, measure: str) -> dict:
    """{seed: value} of a measure of a row; {} where it has none."""
    summary = row["measures"].get(measure) if row else None
    return dict(zip(summary["seeds"], summary["values"], strict=True)) if summary else {}


def span(labels: tuple[str, ...], rows: list[dict]) -> dict:
    """{"rows", "measures": {name: highest - lowest mean}} over the rows of these labels.

    Of the measures that all of them have; {} where fewer than two have results.
    """
    found = [row for row in rows if row["label"] in labels and row["measures"]]
    if len(found) < 2:
        return {}
    measures = {}
    for name in found[0]["measures"]:
        if all(name in row["measures"] for row in found):
            means = [row["measures"][name]["mean"] for row in found]
            measures[name] = max(means) - min(means)
    return {"rows": [row["label"] for row in found], "measures": measures}
