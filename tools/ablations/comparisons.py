"""What the rows of a table show beside each other, from their results."""

from __future__ import annotations

from .rows import Comparison
from .summaries import over_seeds


def compare(comparisons: tuple[Comparison, ...], rows: list[dict]) -> list[dict]:
    """The differences of every comparison, seed by seed, over the seeds that have both sides.

    Between rows of one seed only what sets them apart differs: rooms, samples and first weights are
    the same. Comparisons whose sides have no seed in common are left out.
    """
    found = {row["label"]: row for row in rows}
    results = []
    for comparison in comparisons:
        high = values(found.get(comparison.row), comparison.measure)
        low = values(found.get(comparison.over), comparison.over_measure or comparison.measure)
        differences = {seed: high[seed] - low[seed] for seed in high if seed in low}
        if differences:
            about = {
                "claim": comparison.claim,
                "row": comparison.row,
                "over": comparison.over,
                "measure": comparison.measure,
                "over_measure": comparison.over_measure or comparison.measure,
            }
            results.append({**about, **over_seeds(differences)})
    return results


def values(row: dict | None, measure: str) -> dict:
    """{seed: value} of a measure of a row; {} where it has none."""
    summary = row["measures"].get(measure) if row else None
    return dict(zip(summary["seeds"], summary["values"], strict=True)) if summary else {}


def span(labels: tuple[str, ...], rows: list[dict]) -> dict:
    """{"rows", "measures": {name: highest - lowest mean}} over the rows of these labels.

    Of the measures that all of them have; {} where fewer than two have results.
    """
    alike = [row for row in rows if row["label"] in labels and row["measures"]]
    if len(alike) < 2:
        return {}
    measures = {}
    for name in alike[0]["measures"]:
        if all(name in row["measures"] for row in alike):
            means = [row["measures"][name]["mean"] for row in alike]
            measures[name] = max(means) - min(means)
    return {"rows": [row["label"] for row in alike], "measures": measures}
