"""What came out of a table: numbers of every row, over its seeds. All measures in %.

The result is one dictionary that JSON can hold; writers.py and figure.py take it.
"""

from __future__ import annotations

import statistics
from pathlib import Path

from main_job.plan import REPOSITORY
from pointcept_wsegpc import __version__, schema
from pointcept_wsegpc.files import read_json

from .comparisons import compare, span
from .jobs import Job
from .partitions import quality
from .rows import Row, Table
from .runner import STEPS, USAGE
from .study import Study
from .summaries import over_seeds, summary

# Measure: what it is of, and whether scene tags mask the predictions.
MEASURES = {
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
}
PAPER = (
    "Duan et al., High-quality Pseudo-labeling for Point Cloud Segmentation with Scene-level "
    "Annotation: their figures on ScanNet, which is another data set"
)
# Measure: its name in the manifest of the labels.
OF_TRAIN = {"3D": "3D per point", "3D voted": "3D", "2D": "2D"}
OF_VAL = {"val stage one": "3D per point", "val stage one voted": "3D"}


def collect(study: Study, table: Table, seeds, out: Path, failed: dict[str, str], **about) -> dict:
    """The results of a table whose jobs ran in `out`; `about` joins them as it is."""
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
        "measures": {name: what for name, (what, _) in MEASURES.items()},
        "unit": "%; mean over the classes that occur; spread: sample standard deviation over seeds",
        "paper": PAPER,
        "version": __version__,
        **about,
        "rows": rows,
        "comparisons": compare(table.comparisons, rows),
        "span": span(table.alike, rows),
        "failures": {titles.get(name, name): line for name, line in failed.items()},
    }


def row_result(study: Study, row: Row, seeds, out: Path) -> dict:
    """Everything about one row; seeds whose stage one has not finished are left out."""
    found = {seed: seed_result(study, row, seed, out) for seed in seeds}
    found = {seed: result for seed, result in found.items() if result is not None}
    measures = {
        name: over_seeds({seed: r["measures"].get(name) for seed, r in found.items()})
        for name in MEASURES
        if name not in row.without
    }
    partition = partition_quality(study, row, out) if found else None
    if partition is not None:
        measures["partition"] = {**summary([100 * partition]), "seeds": list(found)}
    measures = {name: entry for name, entry in measures.items() if entry["values"]}
    return {
        "label": row.label,
        "differences": {"both": row.both, "second": row.second, "partition": row.partition},
        "classes": study.benchmark.classes,
        "occurring": merged(result["occurring"] for result in found.values()).get("3D"),
        "split": merged(result["scenes"] for result in found.values()),
        "tags": {name: MEASURES[name][1] for name in measures},
        "iou": mean_iou_of_classes([result["iou"] for result in found.values()]),
        "seeds": list(found),
        "config": study.config_hash(row),
        "measures": measures,
        **{
            name: over_seeds({seed: r[name] for seed, r in found.items()})
            for name in ("minutes", "minutes_stage_two")
        },
        "memory_mib": summary([r["memory_mib"] for r in found.values()]),
        "memory_of": "GPU" if any(r["on_gpu"] for r in found.values()) else "process",
        "paper": row.paper,
    }


def mean_iou_of_classes(found: list[dict]) -> dict:
    """{measure: {class: IoU of pseudo-labels in %, mean over seeds}}; of classes that occur."""
    return {
        measure: {
            name: round(100 * statistics.fmean(seed[key][name] for seed in found), 2)
            for name, value in found[0][key].items()
            if value is not None
        }
        for measure, key in OF_TRAIN.items()
        if found and key in found[0]
    }


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
    manifest = read_json(jobs["second"].store(out) / schema.STORE_MANIFEST)
    miou, scenes = manifest["miou"], {"train": manifest["scenes"]}
    measures = {name: miou.get(key) for name, key in OF_TRAIN.items()}
    measures["coverage"] = manifest["coverage"]
    if "val" in finished:
        unseen = read_json(jobs["val"].output(out))
        measures.update({name: unseen["miou"].get(key) for name, key in OF_VAL.items()})
        scenes["val"] = unseen["scenes"]
    if "predict" in finished:
        stage_two = read_json(jobs["predict"].output(out))
        measures["val stage two"] = stage_two["miou"]
        scenes["val"] = stage_two["scenes"]
    memory = [read_json(out / job.name / USAGE) for job in parts]
    on_gpu = any(usage["cuda_mib"] for usage in memory)
    return {
        "measures": {name: 100 * v for name, v in measures.items() if v is not None},
        "minutes": sum(minutes(job, out) for job in parts),
        "minutes_stage_two": minutes(jobs["stage_two"], out) if "stage_two" in finished else None,
        "memory_mib": max(usage["cuda_mib" if on_gpu else "rss_mib"] for usage in memory),
        "on_gpu": on_gpu,
        "scenes": scenes,
        "iou": manifest["iou"],
        "occurring": {
            name: sum(value is not None for value in iou.values())
            for name, iou in manifest["iou"].items()
        },
    }


def is_finished(job: Job, out: Path) -> bool:
    return minutes(job, out) is not None and job.output(out).exists()


def minutes(job: Job, out: Path) -> float | None:
    """How long a job took, all attempts together; None where it has not finished."""
    file = out / job.name / STEPS
    if not file.is_file():
        return None
    (record,) = read_json(file).values()
    return record["seconds"] / 60 if record["finished"] else None


def partition_quality(study: Study, row: Row, out: Path) -> float | None:
    """Of the regions that a row of the table of partitions has; None for other tables' rows."""
    if row.partition is None:
        return None
    regions = study.regions(row)
    return quality(regions.root(out) if regions else REPOSITORY / study.benchmark.data_root)
