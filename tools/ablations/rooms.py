"""A picture of what the rows of a table label in some rooms, side by side."""

from __future__ import annotations

from pathlib import Path

from pointcept_wsegpc.commands.quickstart_report import scene_row
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.scene import scene_dirs
from pointcept_wsegpc.contracts.tags import TAGS_FILE, read_scene_tags
from pointcept_wsegpc.visualize import scenes as pictures

from . import REPOSITORY
from .results import is_finished
from .rows import Table
from .study import Study

ROOMS = 2  # the first ones of the training split


def draw(study: Study, table: Table, seeds, out: Path, path: Path) -> bool:
    """Draw the pseudo-labels after the vote of the table's `pictured` rows, which ran in `out`.

    Of the first seed that has finished all of them; False where none has.
    """
    rows = [row for row in table.rows if row.label in table.pictured]
    for seed in seeds:
        jobs = {row.label: study.jobs(row, seed)["second"] for row in rows}
        if jobs and all(is_finished(job, out) for job in jobs.values()):
            stores = {label: job.store(out) for label, job in jobs.items()}
            _draw(REPOSITORY / study.benchmark.data_root, stores, path)
            return True
    return False


def _draw(root: Path, stores: dict[str, Path], path: Path) -> None:
    table = ClassTable.read(root)
    tags = read_scene_tags(root / TAGS_FILE, table)
    scenes = scene_dirs(root, "train")[:ROOMS]
    rows = [scene_row(scene, tags.get(scene.name, []), stores, table) for scene in scenes]
    pictures.draw_scenes(path, rows, table)
