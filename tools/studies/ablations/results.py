"""Results of a table: the metrics of every row over its seeds, in %.

The result is one dictionary that JSON can hold; report.py and figures.py take it.
"""

from __future__ import annotations

import statistics
from pathlib import Path

from pointcept_wsegpc import __version__
from pointcept_wsegpc.contracts.label_store import LabelStore
from pointcept_wsegpc.files import read_json

from .commands import REPOSITORY
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
    titles = {}
    for seed in seeds:  # in the order in which they ran: who shares a job bears its first title
        for row in table.rows:
            for job in study.jobs(row, seed).values():
                titles.setdefault(job.name, job.title)
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
        "failures": {titles.get(name, name): line for name, line in (failed or {}).items()},
        "not_started": [titles.get(name, name) for name in not_started],
    }


def row_result(study: Study, row: Row, seeds, out: Path) -> dict:
    """Everything about one row; seeds whose stage one has not finished are skipped."""
    found = {seed: seed_result(study, row, seed, out) for seed in seeds}
    found = {seed: result for seed, result in found.items() if result is not None}
    metrics = {
        name: over_seeds({seed: r["metrics"].get(name) for seed, r in found.items()})
        for name in METRICS
        if name not in row.without
    }
    for name, value in (row_partition(study, row, out) if found else {}).items():
        metrics[name] = {**summary([100 * value]), "seeds": list(found)}
    metrics = {name: entry for name, entry in metrics.items() if entry["values"]}
    return {
        "label": row.label,
        "differences": {"both": row.both, "second": row.second, "partition": row.partition},
        "classes": study.benchmark.classes,
        "occurring": merged(result["occurring"] for result in found.values()).get("3d"),
        "split": merged(result["scenes"] for result in found.values()),
        "tags": {name: METRICS[name][1] for name in metrics},
        "iou": mean_iou_of_classes([result["iou"] for result in found.values()], row.without),
        "seeds": list(found),
        "config": study.config_hash(row),
        "metrics": metrics,
        **{
            name: over_seeds({seed: r[name] for seed, r in found.items()})
            for name in ("minutes", "minutes_stage_two")
        },
        "memory_mib": summary([r["memory_mib"] for r in found.values()]),
        "memory_of": "GPU" if any(r["on_gpu"] for r in found.values()) else "process",
        "paper": row.paper,
    }


def mean_iou_of_classes(found: list[dict], without=()) -> dict:
    """{metric: {class: IoU of pseudo-labels in %, mean over the seeds}}.

    Of classes that occur or that a seed predicts; a seed without either does not count.
    """
    return {
        metric: {
            name: round(100 * statistics.fmean(values), 2)
            for name, values in of_classes([seed[key] for seed in found if key in seed]).items()
        }
        for metric, key in OF_TRAIN.items()
        if metric not in without and any(key in seed for seed in found)
    }


def of_classes(found: list[dict]) -> dict:
    """{class: its values} of several {class: value or None}; only those that have one."""
    names = dict.fromkeys(name for iou in found for name in iou)
    values = {name: [iou[name] for iou in found if iou.get(name) is not None] for name in names}
    return {name: of_class for name, of_class in values.items() if of_class}


def merged(dictionaries) -> dict:
    return {key: value for dictionary in dictionaries for key, value in dictionary.items()}


def seed_result(study: Study, row: Row, seed: int, out: Path) -> dict | None:
    """The numbers of one training of a row; None where its stage one has not finished.

    Of labels of unseen scenes and of stage two there are those that have finished.
    """
    jobs = study.jobs(row, seed)
    finished = {role for role, job in jobs.items() if is_finished(job, out)}
    parts = [jobs["first"], jobs["second"]]
    if not {"first", "second"} <= finished or "regions" in jobs.keys() - finished:
        return None
    manifest = LabelStore.load(jobs["second"].store(out)).manifest
    scores, scenes = manifest["quality"], {"train": len(manifest["scenes"])}
    metrics = {name: scores["miou"].get(key) for name, key in OF_TRAIN.items()}
    metrics["coverage"] = manifest["coverage"]
    if "val" in finished:
        unseen = LabelStore.load(jobs["val"].store(out)).manifest
        miou = unseen["quality"]["miou"]
        metrics.update({name: miou.get(key) for name, key in OF_VAL.items()})
        scenes["val"] = len(unseen["scenes"])
    if "predict" in finished:
        stage_two = read_json(jobs["predict"].output(out))
        metrics["val stage two"] = stage_two["miou"]
        scenes["val"] = stage_two["scenes"]
    memory = [read_json(out / job.name / USAGE) for job in parts]
    on_gpu = any(usage["cuda_mib"] for usage in memory)
    return {
        "metrics": {name: 100 * v for name, v in metrics.items() if v is not None},
        "minutes": sum(job_minutes(job, out) for job in parts),
        "minutes_stage_two": job_minutes(jobs["stage_two"], out)
        if "stage_two" in finished
        else None,
        "memory_mib": max(usage["cuda_mib" if on_gpu else "rss_mib"] for usage in memory),
        "on_gpu": on_gpu,
        "scenes": scenes,
        "iou": scores["iou"],
        "occurring": {
            name: sum(value is not None for value in iou.values())
            for name, iou in scores["iou"].items()
        },
    }


def is_finished(job: Job, out: Path) -> bool:
    return job_minutes(job, out) is not None and job.output(out).exists()


def job_minutes(job: Job, out: Path) -> float | None:
    """How long a job took, all attempts together; None where it has not finished."""
    file = out / job.name / STEPS
    if not file.is_file():
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
    found = {row["label"]: row for row in rows}
    results = []
    for comparison in comparisons:
        row = found.get(comparison.row, {"metrics": {}})
        names = [name for name in row["metrics"] if name not in OF_REGIONS]
        metrics = {name: over_seeds(gains(comparison, name, found)) for name in names}
        metrics = {name: summary for name, summary in metrics.items() if summary["values"]}
        if metrics:
            results.append({**vars(comparison), "metrics": metrics})
    return results


def gains(comparison: Comparison, metric: str, found: dict[str, dict]) -> dict:
    """{seed: difference} of a comparison in one metric."""
    gained = minus(found, (comparison.row, comparison.over), metric)
    if comparison.less is None:
        return gained
    less = minus(found, comparison.less, metric)
    return {seed: gained[seed] - less[seed] for seed in gained if seed in less}


def minus(found, labels, metric):
    high, low = (values(found.get(label), metric) for label in labels)
    return {seed: high[seed] - low[seed] for seed in high if seed in low}


def stage_two_gains(rows: list[dict]) -> list[dict]:
    """How far stage two is above the stage one whose labels it learnt, in unseen scenes."""
    results = []
    for row in rows:
        after = values(row, UNSEEN)
        metrics = {}
        for name in BEFORE:
            before = values(row, name)
            metrics[name] = over_seeds({s: after[s] - before[s] for s in after if s in before})
        if after:
            results.append({"row": row["label"], "metrics": metrics})
    return results


def values(row: dict | None, metric: str) -> dict:
    """{seed: value} of a metric of a row; {} where it has none."""
    summary = row["metrics"].get(metric) if row else None
    return dict(zip(summary["seeds"], summary["values"], strict=True)) if summary else {}


def span(labels: tuple[str, ...], rows: list[dict]) -> dict:
    """{"rows", "metrics": {name: highest - lowest mean}} over the rows of these labels.

    Of the metrics that all of them have; {} where fewer than two have results.
    """
    found = [row for row in rows if row["label"] in labels and row["metrics"]]
    if len(found) < 2:
        return {}
    metrics = {}
    for name in found[0]["metrics"]:
        if all(name in row["metrics"] for row in found):
            means = [row["metrics"][name]["mean"] for row in found]
            metrics[name] = max(means) - min(means)
    return {"rows": [row["label"] for row in found], "metrics": metrics}


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
