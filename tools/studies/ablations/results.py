"""Results of a table: the metrics of every row over its seeds, in %.

The result is one dictionary that JSON can hold; report.py and figures.py take it.
"""

from __future__ import annotations

import statistics
from pathlib import Path

from pointcept_wsegpc import __version__
from pointcept_wsegpc.contracts.label_store import LabelStore
from pointcept_wsegpc.files import read_json

from .benchmarks import REPOSITORY
from .data import quality
from .jobs import Job
from .rows import Comparison, Row, Table
from .runner import STEPS, USAGE
from .study import Study

# Metric: what it is of, and whether scene tags mask the predictions.
METRICS = {
    "3D": ("pseudo-labels, 3D mIoU before the region vote", True),
    "3D voted": ("pseudo-labels, 3D mIoU after the region vote", True),
    "2D": ("pseudo-labels, 2D mIoU", True),
    "coverage": ("share of the points that have a pseudo-label", True),
    "val stage one": ("unseen scenes, 3D mIoU of the stage-one model, before the vote", False),
    "val stage one voted": ("unseen scenes, 3D mIoU of the stage-one model, after the vote", False),
    "val stage two": ("unseen scenes, 3D mIoU of stage two", False),
    "partition": (
        "3D mIoU of the regions' majority vote over ground truth, where each point without a "
        "region is a region of its own, as in the consistency and the vote",
        None,
    ),
    "partition strict": ("the same, where each point without a region is wrong", None),
}
PAPER = (
    "Duan et al., High-quality Pseudo-labeling for Point Cloud Segmentation with Scene-level "
    "Annotation: their figures on ScanNet, which is another data set, "
    "those in 3D after a region vote"
)
# Metric: its name in the manifest of the labels.
OF_TRAIN = {"3D": "3d_no_vote", "3D voted": "3d", "2D": "2d"}
OF_VAL = {"val stage one": "3d_no_vote", "val stage one voted": "3d"}
UNSEEN, BEFORE = "val stage two", tuple(OF_VAL)
OF_REGIONS = ("partition", "partition strict")  # metrics that no training changes: one value


def collect(study: Study, table: Table, seeds, out: Path, failed=None, not_started=(), **about):
    """The results of a table whose jobs ran in `out`; `about` joins them as it is.

    failed, not_started: see Runner.
    """
    benchmark = study.benchmark
    rows = [row_result(study, row, seeds, out) for row in table.rows]
    return {
        "table": table.name,
        "title": table.title,
        "note": table.note,
        "dataset": benchmark.title,
        "configs": [benchmark.first, benchmark.second, benchmark.stage_two],
        "options": benchmark.stage_one,
        "metrics": {name: what for name, (what, _) in METRICS.items()},
        "unit": "%; mean over the classes that occur; spread: sample standard deviation over seeds",
        "paper": PAPER,
        "version": __version__,
        **about,
        "rows": rows,
        "comparisons": compare(table.comparisons, rows),
        "stage_two_gains": stage_two_gains(rows),
        "span": span(table.alike, rows),
        "failures": failed or {},
        "not_started": list(not_started),
    }


def row_result(study: Study, row: Row, seeds, out: Path) -> dict:
    """Everything about one row; seeds whose stage one has not finished are skipped."""
    found = {seed: seed_result(study, row, seed, out) for seed in seeds}
    found = {seed: result for seed, result in found.items() if result}
    results = list(found.values())

    def over_seeds(key: str) -> dict:
        return summary({seed: result[key] for seed, result in found.items()})

    metrics = {
        name: summary({seed: result["metrics"].get(name) for seed, result in found.items()})
        for name in METRICS
        if name not in row.without
    }
    for name, value in (row_partition(study, row, out) if found else {}).items():
        metrics[name] = {**summary({None: 100 * value}), "seeds": list(found)}
    metrics = {name: entry for name, entry in metrics.items() if entry["values"]}
    return {
        "label": row.label,
        "differences": {"both": row.both, "second": row.second, "partition": row.partition},
        "classes": study.benchmark.classes,
        "occurring": results[-1]["occurring"] if results else None,
        "split": {split: count for r in results for split, count in r["scenes"].items()},
        "tags": {name: METRICS[name][1] for name in metrics},
        "iou": mean_iou_of_classes([result["iou"] for result in results], row.without),
        "seeds": list(found),
        "config": study.config_hash(row),
        "metrics": metrics,
        **{name: over_seeds(name) for name in ("minutes", "minutes_stage_two", "memory_mib")},
        "memory_of": "GPU" if any(r["on_gpu"] for r in results) else "process",
        "paper": row.paper,
    }


def mean_iou_of_classes(found: list[dict], without=()) -> dict:
    """{metric: {class: IoU of pseudo-labels in %, mean over the seeds}}.

    Of classes that occur or that a seed predicts; a seed without either does not count.
    """
    table = {}
    for metric, key in OF_TRAIN.items():
        seeds = [iou[key] for iou in found if key in iou and metric not in without]
        values = {
            name: [i[name] for i in seeds if i.get(name) is not None]
            for iou in seeds
            for name in iou
        }
        if values:
            means = {name: statistics.fmean(known) for name, known in values.items() if known}
            table[metric] = {name: round(100 * mean, 2) for name, mean in means.items()}
    return table


def seed_result(study: Study, row: Row, seed: int, out: Path) -> dict | None:
    """The numbers of one training of a row; None where its stage one has not finished.

    Of labels of unseen scenes and of stage two there are those that have finished.
    """
    jobs = study.jobs(row, seed)
    times = {role: job_minutes(job, out) for role, job in jobs.items()}
    finished = {role for role, minutes in times.items() if minutes is not None}
    if not {"first", "second"} | jobs.keys() & {"regions"} <= finished:
        return None
    manifest = LabelStore.load(jobs["second"].store(out)).manifest
    scores, scenes = manifest["quality"], {"train": len(manifest["scenes"])}
    metrics = {name: scores["miou"].get(key) for name, key in OF_TRAIN.items()}
    metrics["coverage"] = manifest["coverage"]
    if "val" in finished:
        unseen = LabelStore.load(jobs["val"].store(out)).manifest
        metrics |= {name: unseen["quality"]["miou"].get(key) for name, key in OF_VAL.items()}
        scenes["val"] = len(unseen["scenes"])
    if "predict" in finished:
        stage_two = read_json(jobs["predict"].output(out))
        metrics[UNSEEN], scenes["val"] = stage_two["miou"], stage_two["scenes"]
    memory = [read_json(out / jobs[role].name / USAGE) for role in ("first", "second")]
    on_gpu = any(usage["cuda_mib"] for usage in memory)
    return {
        "metrics": {name: 100 * v for name, v in metrics.items() if v is not None},
        "minutes": times["first"] + times["second"],
        "minutes_stage_two": times.get("stage_two"),
        "memory_mib": max(usage["cuda_mib" if on_gpu else "rss_mib"] for usage in memory),
        "on_gpu": on_gpu,
        "scenes": scenes,
        "iou": scores["iou"],
        "occurring": sum(value is not None for value in scores["iou"].get("3d", {}).values()),
    }


def job_minutes(job: Job, out: Path) -> float | None:
    """How long a job took, all attempts together; None where it has not finished."""
    file = out / job.name / STEPS
    if not (file.is_file() and job.output(out).exists()):
        return None
    (record,) = read_json(file).values()
    return record["seconds"] / 60 if record["finished"] else None


def row_partition(study: Study, row: Row, out: Path) -> dict:
    """Quality, 0..1, of the regions that a row of the table of partitions has; {} for others."""
    if row.partition is None:
        return {}
    regions = study.regions(row)
    root = regions.root(out) if regions else REPOSITORY / study.benchmark.data_root
    found = quality(root)
    return dict(zip(OF_REGIONS, found, strict=True)) if found else {}


# Beside each other --------------------------------------------------------------------------------


def compare(comparisons: tuple[Comparison, ...], rows: list[dict]) -> list[dict]:
    """Every comparison's differences, seed by seed, of the trainings' metrics that its rows have.

    Between rows of one seed only what sets them apart differs: rooms, samples and first weights are
    the same. Comparisons whose rows have no seed in common are skipped.
    """
    found, results = {row["label"]: row for row in rows}, []
    for comparison in comparisons:
        metrics = {}
        for name in found.get(comparison.row, {"metrics": ()})["metrics"]:
            high, low, *less = (
                values(found.get(label), name)
                for label in (comparison.row, comparison.over, *(comparison.less or ()))
            )
            gained = minus(high, low)
            metrics[name] = summary(minus(gained, minus(*less)) if less else gained)
        metrics = {k: v for k, v in metrics.items() if v["values"] and k not in OF_REGIONS}
        if metrics:
            results.append({**vars(comparison), "metrics": metrics})
    return results


def stage_two_gains(rows: list[dict]) -> list[dict]:
    """How far stage two is above the stage one whose labels it learnt, in unseen scenes."""
    return [
        {
            "row": row["label"],
            "metrics": {name: summary(minus(after, values(row, name))) for name in BEFORE},
        }
        for row in rows
        if (after := values(row, UNSEEN))
    ]


def values(row: dict | None, metric: str) -> dict:
    """{seed: value} of a metric of a row; {} where it has none."""
    found = row["metrics"].get(metric) if row and metric not in OF_REGIONS else None
    return dict(zip(found["seeds"], found["values"], strict=True)) if found else {}


def minus(high: dict, low: dict) -> dict:
    """{seed: difference} of the seeds that both have."""
    return {seed: high[seed] - low[seed] for seed in high if seed in low}


def span(labels: tuple[str, ...], rows: list[dict]) -> dict:
    """{"rows", "metrics": {name: highest - lowest mean}} over the rows of these labels.

    Of the metrics that all of them have; {} where fewer than two have results.
    """
    found = [row for row in rows if row["label"] in labels and row["metrics"]]
    if len(found) < 2:
        return {}
    means = {
        name: [row["metrics"][name]["mean"] for row in found]
        for name in found[0]["metrics"]
        if all(name in row["metrics"] for row in found)
    }
    metrics = {name: max(values) - min(values) for name, values in means.items()}
    return {"rows": [row["label"] for row in found], "metrics": metrics}


def summary(values: dict) -> dict:
    """{"values", "mean", "spread", "seeds"} of {seed: value or None}, without those of None.

    No spread of a single value, no mean of none.
    """
    found = {seed: round(value, 4) for seed, value in values.items() if value is not None}
    numbers = list(found.values())
    return {
        "values": numbers,
        "mean": statistics.fmean(numbers) if numbers else None,
        "spread": statistics.stdev(numbers) if len(numbers) > 1 else None,
        "seeds": list(found),
    }
