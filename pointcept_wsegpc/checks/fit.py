"""How well the points of a scene lie where its depth images see a surface.

N points, V views of H x W pixels, L links. Coordinates in metres, pixel centres at integers.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from .. import camera
from ..camera.fit import FOOTPRINT, spread
from ..contracts.views import read_view_image

GOOD, BAD = 0.75, 0.5  # quality of a fit; below BAD, links are worth nothing
PIXELS = 400  # looked up in each view


@dataclass
class Cameras:
    """Views to compare points with: intrinsic (V, 3, 3), world_to_camera (V, 4, 4), depths."""

    frame: np.ndarray  # (V,)
    intrinsic: np.ndarray
    world_to_camera: np.ndarray
    depth: list  # V images (H, W) m, 0 = missing
    focal: np.ndarray  # (V,) px, for what a pixel covers; never changed by a trial

    def __len__(self):
        return len(self.frame)

    def some(self, count):
        """At most `count` of the views, evenly spread."""
        return self._of(spread(len(self), count))

    def without(self, frames):
        """Those of other frames."""
        return self._of(np.flatnonzero(~np.isin(self.frame, list(frames))))

    def _of(self, chosen):
        arrays = (self.frame[chosen], self.intrinsic[chosen], self.world_to_camera[chosen])
        return Cameras(*arrays, [self.depth[i] for i in chosen], self.focal[chosen])


@dataclass
class Fit:
    """Agreement of points and depth in each of V views, seen from both sides.

    share (V,): of the points in the image that nothing hides, how many lie on its surface; the
        others float before it, where the view saw that nothing is.
    covered (V,): of the pixels with depth, how many have a point near where they lie in 3D.
    error: median |depth - z| of the points that are not hidden, m; NaN if there are none.
    """

    share: np.ndarray
    covered: np.ndarray
    error: float

    @property
    def quality(self):
        """(V,) 0..1, near 1 for right poses; an unseen or foreign cloud has 0."""
        return np.minimum(self.share, self.covered)

    @property
    def total(self):
        return float(self.quality.mean()) if len(self.share) else 0.0


def load_cameras(scene, views, frames):
    """The views of a scene whose `frame` is among `frames`, with their depth images."""
    chosen = np.flatnonzero(np.isin(views.frame, frames))
    depth = [read_view_image(scene, views.frame[v], "depth", views.size[v]) for v in chosen]
    arrays = (views.frame[chosen], views.intrinsic[chosen], views.world_to_camera[chosen])
    return Cameras(*arrays, depth, views.intrinsic[chosen, 0, 0])


def measure_fit(coord, cameras, tolerance):
    """Compare points (N, 3) with the depth images of the cameras.

    On the surface means within `tolerance` m and what a pixel covers there: at low resolution the
    depth of a slanted surface varies inside a pixel. Near means, in addition, twice the spacing of
    the points.
    """
    tree, spacing = cKDTree(coord), point_spacing(coord)
    share, covered, errors = [], [], [np.empty(0)]
    for i, depth in enumerate(cameras.depth):
        camera_of_view = cameras.intrinsic[i], cameras.world_to_camera[i]
        footprint = FOOTPRINT / cameras.focal[i]
        behind, z = _behind(coord, *camera_of_view, depth)
        hidden = behind > tolerance + footprint * z
        linked = np.abs(behind) <= tolerance + footprint * z
        share.append(linked.sum() / max((~hidden).sum(), 1))
        errors.append(np.abs(behind[~hidden]))
        seen, z = _seen(depth, *camera_of_view)
        near = tolerance + footprint * z + 2 * spacing
        distance = tree.query(seen, distance_upper_bound=near.max())[0]
        covered.append((distance <= near).mean())
    errors = np.concatenate(errors)
    error = float(np.median(errors)) if len(errors) else float("nan")
    return Fit(np.array(share), np.array(covered), error)


def point_spacing(coord, sample=1000):
    """Median distance of points (N, 3) to their nearest neighbours, m; 0 for a single point."""
    if len(coord) < 2:
        return 0.0
    chosen = coord[:: max(len(coord) // sample, 1)]
    return float(np.median(cKDTree(coord).query(chosen, k=2)[0][:, 1]))


def _behind(coord, intrinsic, pose, depth):
    """How far (M,) m the points in the image lie behind its depth, and their own depth (M,)."""
    _, row, column, z = camera.pixels_in_image(coord, intrinsic, pose, depth.shape)
    measured = depth[row, column]
    known = measured > 0
    return (z - measured)[known], z[known]


def _seen(depth, intrinsic, pose):
    """World points (M, 3) of at most PIXELS pixels that have depth, and their depth (M,)."""
    row, col = np.nonzero(depth)
    chosen = spread(len(row), PIXELS)
    points = camera.back_project(depth, intrinsic, np.linalg.inv(pose))
    return points[row[chosen], col[chosen]], depth[row[chosen], col[chosen]]


def visibility(coord, cameras, tolerance):
    """Seen (N,) bool and median |depth - z| m over the links that a training would use."""
    seen, errors = np.zeros(len(coord), bool), [np.empty(0)]
    for intrinsic, pose, depth in zip(
        cameras.intrinsic, cameras.world_to_camera, cameras.depth, strict=True
    ):
        point, row, col = camera.visible_pixels(coord, intrinsic, pose, depth, tolerance)
        seen[point] = True
        errors.append(np.abs(depth[row, col] - camera.project(coord[point], intrinsic, pose)[1]))
    errors = np.concatenate(errors)
    return seen, float(np.median(errors)) if len(errors) else float("nan")
