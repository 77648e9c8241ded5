"""The closing report of the quickstart: table, places, figures.

Shapes: N points, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from .. import host
from ..contracts.classes import ClassTable
from ..contracts.label_store import LabelStore
from ..contracts.scene import read_points, scene_dirs
from ..contracts.tags import TAGS_FILE, read_scene_tags
from ..contracts.views import read_views
from ..jobs.process import num_cores
from ..jobs.steps import last_checkpoint
from ..visualize import scenes as figures

WIDTH = 46  # of the table's first column


def read_truth(scene: Path, table: ClassTable) -> np.ndarray:
    """True labels (N,) int64 of a scene, IGNORE = none."""
    key = table.label_file
    return table.clean(read_points(scene, ("coord", key))[key].reshape(-1), scene / f"{key}.npy")


def store_miou(store: Path, kind: str = "3d") -> float:
    """mIoU of a store's labels, as its export counted it; kinds: 3d (after a region vote, if any),
    3d_no_vote, 2d."""
    return LabelStore.load(store).manifest["quality"]["miou"][kind]


def closing(plan, seconds: dict[str, float], by_arm: dict[str, dict[str, float]]) -> list[str]:
    """Lines of text that compare the arms of a quickstart's plan, and say where things are.

    seconds: of each step; by_arm: the same of what ran side by side.
    """
    kinds = {"3D": "3d_no_vote", "3D, after vote": "3d", "2D": "2d"}
    seen = {a.name: [store_miou(a.pseudo_labels, k) for k in kinds.values()] for a in plan.arms}
    unseen = {
        arm.name: [
            *(store_miou(arm.labels(1, "val"), kinds[k]) for k in list(kinds)[:2]),
            store_miou(arm.labels(2, "val")),
        ]
        for arm in plan.arms
    }
    side_by_side = {k: v for steps in by_arm.values() for k, v in steps.items()}
    longest = max(sum(steps.values()) for steps in by_arm.values())
    together = {"together": sum(seconds.values()) + longest}
    minutes = {k: [v / 60] for k, v in {**seconds, **side_by_side, **together}.items()}
    method = plan.arms[-1]
    places = {
        "raw scans": plan.raw,
        "prepared scenes, regions, tags": plan.data,
        "pseudo-labels": method.pseudo_labels,
        "stage-one checkpoint": last_checkpoint(method.training(method.second)),
        "stage-two predictions": method.labels(2, "val"),
        "trainings and logs": plan.out,
        "figures, one per split": plan.figures,
    }
    return [
        "",
        "mIoU in %, the mean over the classes that occur",
        *comparison(f"Labels of {plan.train_scenes} training rooms, from tags", list(kinds), seen),
        *comparison(
            f"Labels of {plan.val_scenes} unseen rooms, no tags",
            ["stage one", "after vote", "stage two"],
            unseen,
        ),
        *table("Minutes", [], minutes),
        f"Engine: {host.ensure_pointcept(quiet=True)}; seed {plan.seed}; {num_cores()} cores",
        "Written",
        *(f"  {title:<{WIDTH - 2}}  {path.absolute()}" for title, path in places.items()),
    ]


def comparison(title: str, columns: Sequence[str], rows: dict[str, list[float]]) -> list[str]:
    """A table in percent of shares; two rows are followed by what the second has more."""
    rows = {name: [100 * value for value in row] for name, row in rows.items()}
    if len(rows) == 2:
        first, second = rows.values()
        rows["difference"] = [b - a for a, b in zip(first, second, strict=True)]
    return table(title, columns, rows)


def table(title: str, columns: Sequence[str], rows: Mapping[str, Sequence[float]]) -> list[str]:
    """Lines of text: a title with the names of the columns, and a row for each of `rows`."""
    lines = {title: columns}
    lines |= {f"  {name}": [f"{value:.1f}" for value in row] for name, row in rows.items()}
    return [
        (f"{name:<{WIDTH}}" + "".join(f"{cell:>16}" for cell in cells)).rstrip()
        for name, cells in lines.items()
    ]


def draw_figure(data: Path, split: str, labels: dict[str, Path], file: Path, count: int) -> None:
    """One figure of the first scenes of a split, a row each; labels: stores by column title."""
    classes, tags = ClassTable.read(data), {}
    if split == "train":
        tags = read_scene_tags(data / TAGS_FILE, classes)
    scenes = scene_dirs(data, split)[:count]
    rows = [scene_row(scene, tags.get(scene.name, []), labels, classes) for scene in scenes]
    figures.draw_scenes(file, rows, classes)


def scene_row(
    scene: Path, tags: list[str], stores: dict[str, Path], table: ClassTable
) -> figures.SceneRow:
    """A scene with its ground truth and the labels of stores by column title."""
    points = read_points(scene, ("coord", "color", "normal"))
    align = read_views(scene).axis_alignment  # so that rooms stand along the figure
    labels = {t: LabelStore.load(store).read(scene.name)["label"] for t, store in stores.items()}
    return figures.SceneRow(
        name=scene.name,
        coord=points["coord"] @ align[:3, :3].T + align[:3, 3],
        normal=points["normal"] @ align[:3, :3].T,
        color=points["color"],
        labels={"ground truth": read_truth(scene, table), **labels},
        tags=tuple(tags),
    )
