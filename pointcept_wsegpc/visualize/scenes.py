"""Figures of labeled scenes: oblique views into a room, several labelings side by side.

Shapes: N points, C classes, images H x W. Coordinates in meters, z up; pixel centers at integers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from ..camera.zbuffer import PointRenderer
from ..contracts.classes import ClassTable
from ..metrics import confusion_with_misses, mean_iou
from .colors import label_colors, legend_of
from .grid import PANEL, draw_grid

AZIMUTH, ELEVATION = np.radians(30), np.radians(48)
LIGHT = np.array([0.25, -0.4, 0.88])
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

    The camera is far enough to be orthographic. Surfaces seen from behind are skipped, so that the
    near walls do not hide the room.
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

    The title of each labeling but TRUTH has its mIoU on the scene.
    """
    colors, grid = label_colors(table), []
    for row in rows:
        shown = visible_points(row.coord, row.normal)
        name = f"{row.name}: {', '.join(row.tags)}" if row.tags else row.name
        panels = [(paint(shown, row.color), name)]
        for title, label in row.labels.items():
            score = _score(row.labels, title, len(table))
            panels.append((paint(shown, shade(colors[label], row.normal)), title + score))
        grid.append(panels)
    present = np.unique(np.concatenate([label for row in rows for label in row.labels.values()]))
    draw_grid(path, grid, legend_of(present, table))


def _score(labels, title, num_classes):
    if title == TRUTH or TRUTH not in labels:
        return ""
    counts = confusion_with_misses(labels[title], labels[TRUTH], num_classes)
    return f": mIoU {100 * mean_iou(counts):.0f} %"
