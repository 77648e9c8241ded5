"""Figures of labeled scenes: oblique views into a room, several labelings side by side.

Shapes: N points, C classes, images H x W. Coordinates in meters, z up; pixel centers at integers.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from ..camera.zbuffer import PointRenderer
from ..contracts.classes import IGNORE, ClassTable
from ..files import atomic_path
from ..metrics import confusion_with_misses, mean_iou
from .colors import label_colors

AZIMUTH, ELEVATION = np.radians(30), np.radians(48)
LIGHT = np.array([0.25, -0.4, 0.88])
PANEL = (400, 500)  # pixels (H, W) of one view
MARGIN = 12  # pixels
DISC = (1, 12)  # pixels, radius of a point
FAR = 1e4  # distance of the camera in extents of the cloud
CELL = 0.2  # m
TRUTH = "ground truth"  # the labeling that the scores of the others are computed against


@dataclass
class SceneRow:
    """One scene of a figure: points and, by column title, labels of these points (IGNORE: none).

    The column TRUTH, if present, is what the scores of the others are computed against.
    """

    name: str
    coord: np.ndarray  # (N, 3) m, z up
    normal: np.ndarray  # (N, 3), pointing out of the surfaces
    color: np.ndarray  # (N, 3) uint8
    labels: dict[str, np.ndarray] = field(default_factory=dict)  # title -> (N,)
    tags: tuple[str, ...] = ()


def view_rotation(coord: np.ndarray) -> np.ndarray:
    """Rotation (3, 3) into a camera frame (right, down, forward) that looks down into the room.

    The azimuth is counted from the shorter side of the cloud's bounding box.
    """
    width, depth = np.ptp(coord[:, :2], axis=0) if len(coord) else (1, 1)
    azimuth = AZIMUTH + (0 if width >= depth else np.pi / 2)
    right = np.array([np.cos(azimuth), np.sin(azimuth), 0])
    ahead = np.array([-np.sin(azimuth), np.cos(azimuth), 0])
    forward = np.cos(ELEVATION) * ahead - np.sin(ELEVATION) * np.array([0, 0, 1])
    return np.stack([right, np.cross(forward, right), forward])


def visible_points(coord: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Which point each pixel of an image (2H, 2W) shows, (H, W) = PANEL; -1 for none.

    From so far that it is orthographic. Surfaces seen from behind are skipped, so that one looks
    past the near walls.
    """
    rotation, size = view_rotation(coord), (2 * PANEL[0], 2 * PANEL[1])
    front = np.flatnonzero(normal @ rotation[2] < 0.05)
    if not len(front):
        return np.full(size, -1)
    point = coord[front] @ rotation.T
    scale, pose, intrinsic = far_camera(point, size)
    spacing = np.sqrt(visible_area(point[:, :2]) / len(point))
    radius = np.full(len(point), np.clip(0.9 * spacing * scale, *DISC) / scale)
    _, shown = PointRenderer(point, radius=radius).draw(intrinsic, pose, size)
    return np.where(shown >= 0, front[shown], -1)


def far_camera(point: np.ndarray, size: tuple[int, int]) -> tuple[float, np.ndarray, np.ndarray]:
    """The camera that shows points (N, 3), already turned, from far away and centered in (H, W).

    Returns: pixels per meter, world-to-camera (4, 4), intrinsic (3, 3).
    """
    low, high = point.min(axis=0), point.max(axis=0)
    extent = np.maximum(high - low, 0.01)
    width_height = np.array(size)[::-1] - 1
    scale = ((width_height - 2 * MARGIN) / extent[:2]).min()
    distance = FAR * max(extent.max(), 1)
    pose = np.eye(4)
    pose[:3, 3] = [0, 0, distance] - (low + high) / 2
    intrinsic = np.diag([scale * distance, scale * distance, 1])
    intrinsic[:2, 2] = width_height / 2
    return scale, pose, intrinsic


def paint(shown: np.ndarray, color: np.ndarray) -> np.ndarray:
    """Image (H, W, 3) uint8 of `visible_points` (2H, 2W) in the points' colors (N, 3)."""
    canvas = np.full((*shown.shape, 3), 255, np.uint8)
    canvas[shown >= 0] = color[shown[shown >= 0]]
    return np.asarray(Image.fromarray(canvas).reduce(2))


def visible_area(point: np.ndarray) -> float:
    """Area in square meters that points (N, 2) cover, in cells with an edge of CELL."""
    return len(np.unique(np.floor(point / CELL).astype(np.int64), axis=0)) * CELL**2


def shade(color: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Darken colors (N, 3) by how far the surface turns from the light, so that shapes show."""
    light = 0.78 + 0.22 * np.clip(normal @ (LIGHT / np.linalg.norm(LIGHT)), -1, 1)
    return (color * light[:, None]).astype(np.uint8)


def draw_scenes(path: str | Path, rows: list[SceneRow], table: ClassTable) -> None:
    """Write one figure: a row per scene, its colors first, then a column per labeling.

    All rows have the same columns. Under each labeling but TRUTH stands its mIoU on the scene.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    titles = list(rows[0].labels)
    figure = Figure(figsize=(3.4 * (1 + len(titles)), 3.25 * len(rows) + 1.0), facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), 1 + len(titles), squeeze=False)
    for row, line in zip(rows, axes, strict=True):
        shown = visible_points(row.coord, row.normal)
        _show(line[0], paint(shown, row.color), _name(row))
        for title, axis in zip(titles, line[1:], strict=True):
            colors = shade(label_colors(table)[row.labels[title]], row.normal)
            score = _score(row.labels, title, len(table))
            _show(axis, paint(shown, colors), score)
    first = "input: points and tags" if any(row.tags for row in rows) else "input: points"
    for title, axis in zip([first, *titles], axes[0], strict=True):
        axis.set_title(title, fontsize=13, pad=8)
    _add_legend(figure, rows, table)
    bottom = 0.85 / figure.get_figheight()
    figure.subplots_adjust(0.005, bottom, 0.995, 1 - 0.4 / figure.get_figheight(), 0.02, 0.12)
    with atomic_path(Path(path)) as temporary:
        figure.savefig(temporary, dpi=110)


def _show(axis, image, caption):
    axis.imshow(image)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_xlabel(caption, fontsize=9, labelpad=3)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _name(row):
    return textwrap.fill(": ".join([row.name, ", ".join(row.tags)][: 1 + bool(row.tags)]), 50)


def _score(labels, title, num_classes):
    if title == TRUTH or TRUTH not in labels:
        return ""
    counts = confusion_with_misses(labels[title], labels[TRUTH], num_classes)
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
