"""Pictures of labelled scenes: oblique views into a room, several labellings side by side.

Shapes: N points, C classes, pictures H x W. Coordinates in metres, z up; pixel centres at integers.
"""

import textwrap
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from ..contracts.classes import IGNORE, ClassTable
from ..files import atomic_path
from ..metrics import confusion_with_misses, mean_iou
from .colors import label_colors

AZIMUTH, ELEVATION = np.radians(30), np.radians(48)
LIGHT = np.array([0.25, -0.4, 0.88])
PANEL = (400, 500)  # pixels (H, W) of one view


@dataclass
class SceneRow:
    """One scene of a picture: points and, by column title, labels of these points (IGNORE: none).

    The column `truth`, if present, is what the scores of the others are computed against.
    """

    name: str
    coord: np.ndarray  # (N, 3) m, z up
    normal: np.ndarray  # (N, 3), pointing out of the surfaces
    color: np.ndarray  # (N, 3) uint8
    labels: dict[str, np.ndarray] = field(default_factory=dict)  # title -> (N,)
    tags: tuple[str, ...] = ()


def view_rotation(coord):
    """Rotation (3, 3) into a camera frame (right, down, forward) that looks down into the room.

    The azimuth is counted from the shorter side of the cloud's bounding box.
    """
    width, depth = np.ptp(coord[:, :2], axis=0) if len(coord) else (1, 1)
    azimuth = AZIMUTH + (0 if width >= depth else np.pi / 2)
    right = np.array([np.cos(azimuth), np.sin(azimuth), 0])
    ahead = np.array([-np.sin(azimuth), np.cos(azimuth), 0])
    forward = np.cos(ELEVATION) * ahead - np.sin(ELEVATION) * np.array([0, 0, 1])
    return np.stack([right, np.cross(forward, right), forward])


def visible_points(coord, normal, size=PANEL):
    """Which point each pixel of a picture (2H, 2W) shows; -1 for none.

    Orthographic; surfaces seen from behind are left out, so that one looks past the near walls.
    """
    rotation = view_rotation(coord)
    front = np.flatnonzero(normal @ rotation[2] < 0.05)
    shown = np.full((2 * size[0], 2 * size[1]), -1)
    if len(front):
        point = coord[front] @ rotation.T
        pixel, scale = fit(point[:, :2], shown.shape)
        spacing = np.sqrt(visible_area(point[:, :2]) / len(point))
        far_to_near = np.argsort(-point[:, 2], kind="stable")
        radius = np.clip(0.9 * spacing * scale, 1, 12)
        drawn = splat(pixel[far_to_near], radius, shown.shape)
        shown[drawn >= 0] = front[far_to_near[drawn[drawn >= 0]]]
    return shown


def paint(shown, color):
    """Picture (H, W, 3) uint8 of `visible_points` (2H, 2W) in the points' colours (N, 3)."""
    canvas = np.full((*shown.shape, 3), 255, np.uint8)
    canvas[shown >= 0] = color[shown[shown >= 0]]
    return np.asarray(Image.fromarray(canvas).reduce(2))


def fit(point, size, margin=12):
    """Pixels (N, 2) as (row, column) of points (N, 2) centred in (H, W), and pixels per metre."""
    low, high = point.min(0), point.max(0)
    extent = np.maximum(high - low, 1e-6)
    scale = ((np.array(size)[::-1] - 1 - 2 * margin) / extent).min()
    column_row = (point - (low + high) / 2) * scale + (np.array(size)[::-1] - 1) / 2
    return np.rint(column_row[:, ::-1]).astype(np.int64), scale


def visible_area(point, cell=0.2):
    """Area in square metres that points (N, 2) cover, in cells of the given edge."""
    return len(np.unique(np.floor(point / cell).astype(np.int64), axis=0)) * cell**2


def splat(pixel, radius, size):
    """Draw a disc at each pixel of (N, 2), later ones on top: which shows (H, W), -1 for none."""
    reach = np.arange(-int(radius), int(radius) + 1)
    disc = np.stack(np.meshgrid(reach, reach, indexing="ij"), -1).reshape(-1, 2)
    drawn = np.full(size, -1)
    index = np.arange(len(pixel))
    for offset in disc[(disc**2).sum(1) <= radius**2]:
        spot = pixel + offset
        inside = ((spot >= 0) & (spot < size)).all(1)
        np.maximum.at(drawn, tuple(spot[inside].T), index[inside])
    return drawn


def shade(color, normal):
    """Darken colours (N, 3) by how far the surface turns from the light, so that shapes show."""
    light = 0.78 + 0.22 * np.clip(normal @ (LIGHT / np.linalg.norm(LIGHT)), -1, 1)
    return (color * light[:, None]).astype(np.uint8)


def draw_scenes(
    path: str | Path, rows: list[SceneRow], table: ClassTable, truth: str = "ground truth"
) -> None:
    """Write one picture: a row per scene, its colours first, then a column per labelling.

    All rows have the same columns. Under each labelling but `truth` stands its mIoU on the scene.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    titles = list(rows[0].labels)
    figure = Figure(figsize=(3.4 * (1 + len(titles)), 3.25 * len(rows) + 1.0), facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), 1 + len(titles), squeeze=False)
    for row, line in zip(rows, axes, strict=True):
        shown = visible_points(row.coord, row.normal)
        _show(
            line[0],
            paint(shown, row.color),
            _name(row),
        )
        for title, axis in zip(titles, line[1:], strict=True):
            colors = shade(label_colors(table)[row.labels[title]], row.normal)
            score = _score(row.labels, title, truth, len(table))
            _show(axis, paint(shown, colors), score)
    first = "input: points and tags" if any(row.tags for row in rows) else "input: points"
    for title, axis in zip([first, *titles], axes[0], strict=True):
        axis.set_title(title, fontsize=13, pad=8)
    _add_legend(figure, rows, table)
    bottom = 0.85 / figure.get_figheight()
    figure.subplots_adjust(0.005, bottom, 0.995, 1 - 0.4 / figure.get_figheight(), 0.02, 0.12)
    with atomic_path(Path(path)) as temporary:
        figure.savefig(temporary, dpi=110)


def _show(axis, picture, caption):
    axis.imshow(picture)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_xlabel(caption, fontsize=9, labelpad=3)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _name(row):
    return textwrap.fill(": ".join([row.name, ", ".join(row.tags)][: 1 + bool(row.tags)]), 50)


def _score(labels, title, truth, num_classes):
    if title == truth or truth not in labels:
        return ""
    counts = confusion_with_misses(labels[title], labels[truth], num_classes)
    return f"mIoU {100 * mean_iou(counts):.0f} %"


def _add_legend(figure, rows, table):
    from matplotlib.patches import Patch

    present = np.unique(np.concatenate([label for row in rows for label in row.labels.values()]))
    colors = label_colors(table) / 255
    patches = [Patch(color=colors[i], label=table.names[i]) for i in present if i != IGNORE]
    if IGNORE in present:
        patches.append(Patch(color=colors[IGNORE], label="no label"))
    columns = min(len(patches), 10)
    figure.legend(handles=patches, loc="lower center", ncol=columns, fontsize=10, frameon=False)
