"""What came out of a table: numbers of every row, over its seeds. All measures in %.

The result is one dictionary that JSON can hold; writers.py and figure.py take it.
"""

from __future__ import annotations

import statistics
from pathlib import Path

from main_job.plan import REPOSITORY
from pointcept_wsegpc import __version__
from pointcept_wsegpc.files import read_json

from .benchmarks import Benchmark
from .jobs import USAGE
from .partitions import quality
from .runner import STEPS
from .study import Study, partition_root
from .tables import Row, Table

# Measure: what it is of, and whether scene tags mask the predictions.
MEASURES = {
    "3D": ("pseudo-labels, 3D mIoU before the region vote", True),
    "3D voted": ("pseudo-labels, 3D mIoU after the region vote", True),
    "2D": ("pseudo-labels, 2D mIoU", True),
    "coverage": ("share of the points that have a pseudo-label", True),
    "val stage one": ("unseen scenes, 3D mIoU of the stage-one model, before the vote", False),
    "val stage one voted": ("unseen scenes, 3D mIoU of the stage-one model, after the vote", False),
    "val stage two": ("unseen scenes, 3D mIoU of stage two", False),
    "partition": ("3D mIoU of the regions' majority vote over ground truth", None),
}
PAPER = (
    "Duan et al., High-quality Pseudo-labeling for Point Cloud Segmentation with Scene-level "
    "Annotation: their figures on ScanNet, which is another data set"
)
OF_VAL = {"val stage one": "3D per point", "val stage one voted": "3D"}  # measure: manifest's name


def collect(study: Study, table: Table, seeds, out: Path, failed: dict[str, str], **about) -> dict:
    """The results of a table whose jobs ran in `out`; `about` joins them as it is."""
    benchmark = study.benchmark
    rows = [row_result(study, row, seeds, out) for row in table.rows]
    titles = {j.name: j.title for r in table.rows for s in seeds for j in study.jobs(r, s).values()}
    return {
        "table": table.name,
        "title": table.title,
        "note": table.note,
        "dataset": benchmark.title,
        "configs": [benchmark.first, benchmark.second, benchmark.stage_two],
        "options": benchmark.stage_one,
        "measures": {name: what for name, (what, _) in MEASURES.items()},
        "unit": "%; mean over the classes that occur; spread: sample standard deviation over seeds",
        "paper": PAPER,
        "version": __version__,
        **about,
        "rows": rows,
        "failures": {titles.get(name, name): line for name, line in failed.items()},
    }


def row_result(study: Study, row: Row, seeds, out: Path) -> dict:
    """Everything about one row; seeds that have not finished are left out."""
    found = {seed: seed_result(study, row, seed, out) for seed in seeds}
    found = {seed: result for seed, result in found.items() if result is not None}
    scenes = merged(result["scenes"] for result in found.values())
    measures = {}
    for name in MEASURES:
        values = [r["measures"].get(name) for r in found.values()]
        if values and None not in values:
            measures[name] = summary(values)
    return {
        "label": row.label,
        "differences": {"both": row.both, "second": row.second, "partition": row.partition},
        "classes": study.benchmark.classes,
        "occurring": merged(result["occurring"] for result in found.values()).get("3D"),
        "split": scenes,
        "tags": {name: MEASURES[name][1] for name in measures},
        "seeds": list(found),
        "config": study.config_hash(row),
        "measures": measures,
        "minutes": summary([r["minutes"] for r in found.values()]),
        "memory_mib": summary([r["memory_mib"] for r in found.values()]),
        "memory_of": "GPU" if any(r["on_gpu"] for r in found.values()) else "process",
        "paper": row.paper,
    }


def merged(dictionaries) -> dict:
    return {key: value for dictionary in dictionaries for key, value in dictionary.items()}


def summary(values) -> dict:
    """{"values", "mean", "spread"}; no spread of a single value, None of none."""
    values = [round(value, 4) for value in values]
    return {
        "values": values,
        "mean": statistics.fmean(values) if values else None,
        "spread": statistics.stdev(values) if len(values) > 1 else None,
    }


def seed_result(study: Study, row: Row, seed: int, out: Path) -> dict | None:
    """The numbers of one training of a row; None where a job of it has not finished."""
    jobs = study.jobs(row, seed)
    times = [seconds(out / job.name) for job in jobs.values()]
    if None in times or not all(job.output(out).exists() for job in jobs.values()):
        return None
    manifest = read_json(jobs["second"].store(out) / "manifest.json")
    miou = manifest["miou"]
    measures = {
        "3D": miou.get("3D per point"),
        "3D voted": miou.get("3D"),
        "2D": miou.get("2D"),
        "coverage": manifest["coverage"],
        "partition": partition_quality(study.benchmark, row),
    }
    scenes = {"train": manifest["scenes"]}
    if row.stage_two:
        unseen = read_json(jobs["val"].output(out))
        stage_two = read_json(jobs["predict"].output(out))
        measures.update({name: unseen["miou"].get(key) for name, key in OF_VAL.items()})
        measures["val stage two"] = stage_two["miou"]
        scenes["val"] = stage_two["scenes"]
    memory = [
        read_json(path) for job in jobs.values() if (path := out / job.name / USAGE).is_file()
    ]
    on_gpu = any(usage["cuda_mib"] for usage in memory)
    return {
        "measures": {name: 100 * v for name, v in measures.items() if v is not None},
        "minutes": sum(times) / 60,
        "memory_mib": max(usage["cuda_mib" if on_gpu else "rss_mib"] for usage in memory),
        "on_gpu": on_gpu,
        "scenes": scenes,
        "occurring": {
            name: sum(value is not None for value in iou.values())
            for name, iou in manifest["iou"].items()
        },
    }


def seconds(folder: Path) -> float | None:
    """How long the job in a folder took, all attempts together; None where it has not finished."""
    if not (folder / STEPS).is_file():
        return None
    (record,) = read_json(folder / STEPS).values()
    return record["seconds"] if record["finished"] else None


def partition_quality(benchmark: Benchmark, row: Row) -> float | None:
    """Of the regions that a row of the table of partitions has; None for other tables' rows."""
    if row.partition in (None, "point-wise"):
        return None
    return quality(REPOSITORY / partition_root(benchmark, row))
