"""Figures of a table: bars with the spread over seeds; labels of some rooms."""

from __future__ import annotations

from math import nan
from pathlib import Path

from pointcept_wsegpc.commands.quickstart_report import scene_row
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.scene import scene_dirs
from pointcept_wsegpc.contracts.tags import TAGS_FILE, read_scene_tags
from pointcept_wsegpc.files import atomic_path
from pointcept_wsegpc.visualize import scenes as figures

from .benchmarks import REPOSITORY
from .results import job_minutes
from .rows import Table
from .study import Study

BARS = {"3D": "#4878a8", "3D voted": "#9cbcd8", "2D": "#d89048"}
THICKNESS = 0.26
ROOMS = 2  # the first ones of the training split


def draw_bars(result: dict, path: Path) -> None:
    """Draw the rows that have results as groups of horizontal bars: 3D, 3D after the vote, 2D."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [row for row in result["rows"] if row["metrics"]]
    figure = Figure(figsize=(8, 1.4 + 0.55 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for index, (metric, color) in enumerate(BARS.items()):
        found = [
            (y, row["metrics"][metric]) for y, row in enumerate(rows) if metric in row["metrics"]
        ]
        axes.barh(
            [y + (index - 1) * THICKNESS for y, _ in found],
            [summary["mean"] for _, summary in found],
            THICKNESS,
            xerr=[nan if summary["spread"] is None else summary["spread"] for _, summary in found],
            color=color,
            error_kw={"elinewidth": 1, "capsize": 2},
            label={"3D voted": "3D after the region vote"}.get(metric, metric),
        )
    axes.set_yticks(range(len(rows)), [row["label"] for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("pseudo-label mIoU (%), mean and standard deviation over seeds")
    axes.set_title(f"{result['title']} on {result['dataset']}", loc="left", fontsize="medium")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if rows:
        axes.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    FigureCanvasAgg(figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)


def draw_rooms(study: Study, table: Table, seeds, out: Path, path: Path) -> bool:
    """Draw the pseudo-labels after the vote of the table's `pictured` rows, which ran in `out`.

    Of the first seed that has finished all of them; False where none has.
    """
    rows = [row for row in table.rows if row.label in table.pictured]
    for seed in seeds:
        jobs = {row.label: study.jobs(row, seed)["second"] for row in rows}
        if jobs and all(job_minutes(job, out) is not None for job in jobs.values()):
            stores = {label: job.store(out) for label, job in jobs.items()}
            root = REPOSITORY / study.benchmark.data_root
            classes, scenes = ClassTable.read(root), scene_dirs(root, "train")[:ROOMS]
            tags = read_scene_tags(root / TAGS_FILE, classes)
            drawn = [scene_row(s, tags.get(s.name, []), stores, classes) for s in scenes]
            figures.draw_scenes(path, drawn, classes)
            return True
    return False
