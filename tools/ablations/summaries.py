"""Mean and spread of a number over the seeds that have it."""

from __future__ import annotations

import statistics


def over_seeds(values: dict) -> dict:
    """`summary` of {seed: value or None}, and the seeds that have one."""
    values = {seed: value for seed, value in values.items() if value is not None}
    return {**summary(values.values()), "seeds": list(values)}


def summary(values) -> dict:
    """{"values", "mean", "spread"}; no spread of a single value, None of none."""
    values = [round(value, 4) for value in values]
    return {
        "values": values,
        "mean": statistics.fmean(values) if values else None,
        "spread": statistics.stdev(values) if len(values) > 1 else None,
    }
