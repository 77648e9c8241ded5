"""Whether poses fit the points: by depth images, which say where points are, and by colors.

N points, V views of H x W pixels, L links. Meters; pixel centers at integer coordinates.

A point in an image is *seen* where the depth there is its own, up to a tolerance; *hidden* where
the depth is smaller, because something is in front of it; and *denied* where the depth is larger:
the camera looked through the place where the point is said to be. With the right poses hardly a
point is denied.

A view is any object with frame, intrinsic (3, 3), world_to_camera (4, 4), depth (H, W) m, 0 =
missing, and, for colors, color (H, W, 3). It may have a footprint: what the tolerance grows by for
each meter of depth, because at low resolution depth varies inside a pixel of a slanted surface.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from . import back_project, pixels_in_image, visible_pixels

MIN_VISIBLE = 0.05  # of the points; fewer mean that the views show something else
MAX_DENIED = 0.3  # of seen and denied points; more mean that the poses are of another frame
MIN_SPREAD = 2.0  # gray values; below, all is of one color and nothing can be said
FOOTPRINT = 2.0  # pixels by which a slanted surface may be off
SAMPLED_PIXELS = 400  # looked up in each view


@dataclass
class DepthFit:
    """How N points lie in V depth images; counts are of the points in an image, view by view."""

    visible: np.ndarray  # (N,) bool: a view sees the point
    frame: list  # V, of the views
    seen: np.ndarray  # (V,) int64
    hidden: np.ndarray  # (V,) int64
    denied: np.ndarray  # (V,) int64
    errors: np.ndarray  # (L,) float32 m, |z - depth| of seen and denied points
    link_errors: np.ndarray  # (L',) float32 m, of seen points alone

    @property
    def seen_share(self) -> float:
        """Of all points in an image, once for each, the share that is seen there."""
        total = self.seen.sum() + self.hidden.sum() + self.denied.sum()
        return float(self.seen.sum() / total) if total else 0.0

    @property
    def denied_share(self) -> float | None:
        """Of the points that nothing hides, the share that a camera looked through."""
        return float(self.denied.sum() / len(self.errors)) if len(self.errors) else None

    @property
    def median_error(self) -> float | None:
        """Median |z - depth| in m of the points that nothing hides."""
        return float(np.median(self.errors)) if len(self.errors) else None

    @property
    def link_error(self) -> float | None:
        """Median |z - depth| in m of the points that are seen."""
        return float(np.median(self.link_errors)) if len(self.link_errors) else None


def depth_behind(
    coord: np.ndarray, intrinsic: np.ndarray, world_to_camera: np.ndarray, depth: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How far the points that lie on pixels with depth are behind what is seen there.

    Args: coord (N, 3) m; intrinsic (3, 3); world_to_camera (4, 4); depth (H, W) m, 0 = missing.
    Returns: point (M,) int64, behind (M,) m: z - depth, and z (M,) m.
    """
    point, row, col, z = pixels_in_image(coord, intrinsic, world_to_camera, depth.shape)
    measured = depth[row, col]
    known = measured > 0
    return point[known], (z - measured)[known], z[known]


def fit_views(coord: np.ndarray, views: Iterable[Any], tolerance: float) -> DepthFit:
    """Compare points (N, 3) m with the depth of the views, one after the other.

    tolerance: m, between a point and the surface that it lies on.
    """
    visible = np.zeros(len(coord), dtype=bool)
    frames, counts = [], [np.empty((0, 3), np.int64)]
    errors, link_errors = [np.empty(0, np.float32)], [np.empty(0, np.float32)]
    for view in views:
        point, behind, z = depth_behind(coord, view.intrinsic, view.world_to_camera, view.depth)
        reach = tolerance + getattr(view, "footprint", 0.0) * z
        seen, hidden = np.abs(behind) <= reach, behind > reach
        visible[point[seen]] = True
        frames.append(view.frame)
        counts.append([[seen.sum(), hidden.sum(), len(point) - seen.sum() - hidden.sum()]])
        errors.append(np.abs(behind[~hidden]).astype(np.float32))
        link_errors.append(np.abs(behind[seen]).astype(np.float32))
    seen, hidden, denied = np.concatenate(counts).T
    errors, link_errors = np.concatenate(errors), np.concatenate(link_errors)
    return DepthFit(visible, frames, seen, hidden, denied, errors, link_errors)


def covered_shares(
    coord: np.ndarray, views: Iterable[Any], tolerance: float, spacing: float
) -> np.ndarray:
    """Share (V,) of the pixels with depth that have one of the points (N, 3) near them in 3D.

    Near means within the tolerance of `fit_views` and twice the points' spacing in m. A few
    hundred pixels of each view are looked up.
    """
    tree, shares = cKDTree(coord), []
    for view in views:
        row, col = np.nonzero(view.depth)
        chosen = spread(len(row), SAMPLED_PIXELS)
        row, col = row[chosen], col[chosen]
        camera_to_world = np.linalg.inv(view.world_to_camera)
        seen = back_project(view.depth, view.intrinsic, camera_to_world)[row, col]
        footprint = getattr(view, "footprint", 0.0)
        near = tolerance + footprint * view.depth[row, col] + 2 * spacing
        distance = tree.query(seen, distance_upper_bound=near.max())[0]
        shares.append((distance <= near).mean())
    return np.array(shares)


def compare_depth(
    measured: np.ndarray, rendered: np.ndarray
) -> tuple[float, tuple[float, float, float]] | None:
    """Median |measured - rendered| in m, and quartiles of rendered / measured; None without any.

    Both (V, H, W) m, 0 = missing.
    """
    both = (rendered > 0) & (measured > 0)
    if not both.any():
        return None
    error = float(np.median(np.abs(measured[both] - rendered[both])))
    return error, tuple(np.quantile(rendered[both] / measured[both], (0.25, 0.5, 0.75)))


def linked_colors(
    coord: np.ndarray, color: np.ndarray, views: Iterable[Any], tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Colors (L, 3) of the points (N, 3) that views see, and those of their pixels."""
    of_points, of_pixels = [np.empty((0, 3), color.dtype)], [np.empty((0, 3), np.uint8)]
    for view in views:
        camera = view.intrinsic, view.world_to_camera
        point, row, col = visible_pixels(coord, *camera, view.depth, tolerance)
        of_points.append(color[point])
        of_pixels.append(view.color[row, col, :3])
    return np.concatenate(of_points), np.concatenate(of_pixels)


def color_agreement(of_points: np.ndarray, of_pixels: np.ndarray) -> float | None:
    """Correlation of brightness of points and of their pixels, both (L, 3); None if it is even."""
    return correlation(of_points.mean(axis=1), of_pixels.mean(axis=1))


def correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """Pearson's, of two vectors of gray values; None where one of them hardly varies."""
    if len(a) < 2 or min(a.std(), b.std()) < MIN_SPREAD:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def spread(size: int, count: int) -> np.ndarray:
    """At most `count` of 0..size-1, evenly spread, int64."""
    return np.unique(np.linspace(0, max(size - 1, 0), min(size, count)).round().astype(np.int64))
