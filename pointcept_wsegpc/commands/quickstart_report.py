"""The closing report of the quickstart: table, places, figures.

Shapes: N points, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..contracts.classes import ClassTable
from ..contracts.label_store import LabelStore
from ..contracts.scene import read_points, scene_dirs
from ..contracts.tags import TAGS_FILE, read_scene_tags
from ..contracts.views import read_views
from ..visualize import scenes as figures

WIDTH = 46  # of the table's first column


def read_truth(scene: Path, table: ClassTable) -> np.ndarray:
    """True labels (N,) int64 of a scene, IGNORE = none."""
    key = table.label_file
    return table.clean(read_points(scene, ("coord", key))[key].reshape(-1), scene / f"{key}.npy")


def store_miou(store: Path) -> float:
    """mIoU of a store's labels, after a region vote if any, as its export counted it."""
    return LabelStore.load(store).manifest["quality"]["miou"]["3d"]


def pseudo_label_table(stores: Mapping[str, Path]) -> list[str]:
    """Lines of text about stores of training scenes, by the name of what wrote them."""
    rows = {}
    for title, store in stores.items():
        manifest = LabelStore.load(store).manifest
        miou = manifest["quality"]["miou"]
        values = miou["3d"], miou["3d_no_vote"], miou["2d"], manifest["coverage"]
        rows[title] = [100 * value for value in values]
    title = f"Pseudo-labels of {len(manifest['scenes'])} training scenes"
    return table(title, ["3D", "3D before vote", "2D", "coverage"], rows)


def table(title: str, columns: Sequence[str], rows: Mapping[str, Sequence[float]]) -> list[str]:
    """Lines of text: a title with the names of the columns, and a row for each of `rows`."""
    lines = {title: columns}
    lines |= {f"  {name}": [f"{value:.1f}" for value in row] for name, row in rows.items()}
    return [
        (f"{name:<{WIDTH}}" + "".join(f"{cell:>16}" for cell in cells)).rstrip()
        for name, cells in lines.items()
    ]


def draw_figures(
    data: Path, split: str, labels: dict[str, Path], out: Path, with_tags: bool
) -> None:
    """One figure per two scenes of a split; `labels` are stores by column title."""
    scenes = scene_dirs(data, split)
    classes = ClassTable.read(data)
    tags = read_scene_tags(data / TAGS_FILE, classes) if with_tags else {}
    for pair in (scenes[i : i + 2] for i in range(0, len(scenes), 2)):
        rows = [scene_row(scene, tags.get(scene.name, []), labels, classes) for scene in pair]
        name = "-".join([split, *(scene.name for scene in pair)])
        figures.draw_scenes(out / f"{name}.png", rows, classes)


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
