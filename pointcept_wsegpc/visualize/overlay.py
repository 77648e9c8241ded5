"""Figures of points projected into views: right and wrong poses are visible at a glance.

N points, V views of H x W pixels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..camera.fit import FOOTPRINT, spread
from ..camera.zbuffer import PointRenderer
from ..contracts.views import Views, read_view_image
from .grid import draw_grid

VIEWS = 3
BACKGROUND = 20  # gray value where there is no point
FITS, BEFORE, NO_DEPTH = (60, 220, 90), (235, 40, 40), (150, 150, 150)
MAX_POINTS = 200_000
TITLES = (
    "points: on what is seen (green), before it (red), no depth there (gray), behind (none)",
    "the nearest points in their own colors",
)


def draw_overlay(
    path: Path, scene: Path, points: dict[str, np.ndarray], views: Views, tolerance: float
) -> None:
    """Write one figure of a scene folder: three views in columns, each above what TITLES say.

    points: coord (N, 3) m and, for the third row, color (N, 3) uint8.
    """
    step = max(len(points["coord"]) // MAX_POINTS, 1)
    coord = points["coord"][::step]
    color = points.get("color", np.full_like(points["coord"], 128))[::step]
    rows = [[], [], []]
    for index in spread(len(views), VIEWS):
        images, caption = _images(scene, coord, color, views, index, tolerance)
        titles = (f"{Path(scene).name}, {caption}", *TITLES)
        for row, image, title in zip(rows, images, titles, strict=True):
            row.append((image, title))
    draw_grid(path, rows)


def _images(scene, coord, color, views, index, tolerance):
    """The three images (H, W, 3) uint8 of one view, and its caption."""
    frame, intrinsic, size = views.frame[index], views.intrinsic[index], views.size[index]
    image = read_view_image(scene, frame, "color", size)
    depth = read_view_image(scene, frame, "depth", size)
    drawn, shown = PointRenderer(coord).draw(intrinsic, views.world_to_camera[index], size)
    row, col = np.nonzero(shown >= 0)
    point, z = shown[row, col], drawn[row, col]
    measured = depth[row, col]
    behind = z - measured
    reach = tolerance + FOOTPRINT * z / intrinsic[0, 0]
    marks = (image * 0.35 + 40).astype(np.uint8)
    for mark, chosen in (
        (NO_DEPTH, measured == 0),
        (FITS, (measured > 0) & (np.abs(behind) <= reach)),
        (BEFORE, (measured > 0) & (behind < -reach)),
    ):
        marks[row[chosen], col[chosen]] = mark
    rendered = _filled(row, col, color[point], size)
    known = measured > 0
    fits = (np.abs(behind) <= reach)[known].mean() if known.any() else 0.0
    caption = f"frame {frame}: {len(point)} nearest points, {fits:.0%} on the surface"
    return (image, marks, rendered), caption


def _filled(row, col, color, size):
    """Image (H, W, 3) of pixels in colors (M, 3), each grown over the empty ones around it."""
    from scipy.ndimage import distance_transform_edt

    image = np.full((*size, 3), BACKGROUND, np.uint8)
    if len(row):
        empty = np.ones(size, bool)
        empty[row, col] = False
        image[row, col] = color
        distance, (near_row, near_col) = distance_transform_edt(empty, return_indices=True)
        # About the distance of the points, where they cover the image.
        reach = 2 * float(np.median(distance)) + 1
        shown = distance <= reach
        image[shown] = image[near_row[shown], near_col[shown]]
    return image
