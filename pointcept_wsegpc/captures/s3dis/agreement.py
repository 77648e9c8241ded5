"""Whether the poses of a capture fit its points: what the depth images say of where points are.

N points, V views. A point in an image is *seen* where the depth there is its own, up to a
tolerance; *hidden* where the depth is smaller, because something is in front of it; and *denied*
where the depth is larger: the camera looked through the place where the point is said to be. With
the right poses hardly a point is denied.
"""

from dataclasses import dataclass, field

import numpy as np

from ... import camera

LEAST_VISIBLE = 0.05  # of a capture's points; less means that the images show something else
MOST_DENIED = 0.3  # of seen and denied; more means that the poses are of another frame


@dataclass
class Agreement:
    """Counts of the views that were added; all measures are of the N points given."""

    coord: np.ndarray  # (N, 3) m
    tolerance: float  # m
    seen_by: dict = field(default_factory=dict)  # frame -> points that it sees
    visible: np.ndarray = None  # (N,) bool, seen by a view
    hidden: int = 0
    errors: list = field(default_factory=list)  # |depth - z| of seen and denied points, by view

    def __post_init__(self):
        self.visible = np.zeros(len(self.coord), dtype=bool)

    def add(self, view):
        """Compare the points with one view (frames.View; its colour is not used)."""
        point, error = depth_errors(self.coord, view.intrinsic, view.world_to_camera, view.depth)
        seen = np.abs(error) <= self.tolerance
        self.visible[point[seen]] = True
        self.seen_by[view.frame] = int(seen.sum())
        in_front = error < -self.tolerance
        self.hidden += int(in_front.sum())
        self.errors.append(np.abs(error[~in_front]).astype(np.float32))

    def seen_share(self):
        """Of all points that lie in an image, once for each, the share that is seen there."""
        error = np.concatenate([*self.errors, np.empty(0, np.float32)])
        total = len(error) + self.hidden
        return float((error <= self.tolerance).sum() / total) if total else 0.0

    def report(self):
        """The numbers for people and for `problem`; None where nothing could be measured.

        visible: share of the points that a view sees. median_error: median |depth - z| in m of the
        points that are not hidden. denied: share of those that a camera looked through.
        """
        error = np.concatenate([*self.errors, np.empty(0, np.float32)])
        return {
            "visible": float(self.visible.mean()) if len(self.visible) else 0.0,
            "median_error": float(np.median(error)) if len(error) else None,
            "denied": float((error > self.tolerance).mean()) if len(error) else None,
        }


def depth_errors(coord, intrinsic, world_to_camera, depth):
    """depth - z in m of the points that lie in an image, on pixels with depth.

    Args: coord (N, 3) m; intrinsic (3, 3); world_to_camera (4, 4); depth (H, W) m, 0 = missing.
    Returns: point (M,) int64, error (M,) float32 m.
    """
    point, row, col, z = camera.pixels_in_image(coord, intrinsic, world_to_camera, depth.shape)
    measured = depth[row, col]
    return point[measured > 0], (measured - z)[measured > 0]


def problem(report, tolerance):
    """What is absurd about an `Agreement.report`, in a few words; None where nothing is."""
    if report["visible"] < LEAST_VISIBLE:
        return f"the views see {100 * report['visible']:.1f} % of the points"
    if report["median_error"] > tolerance:
        return f"the median |depth - z| is {report['median_error']:.2f} m"
    if report["denied"] > MOST_DENIED:
        return f"the cameras look through {100 * report['denied']:.0f} % of the points"
    return None


def describe(report):
    """The numbers in words, for a line of a tool."""
    error = report["median_error"]
    depth = "no point in an image" if error is None else f"median |depth - z| {100 * error:.1f} cm"
    return f"{100 * report['visible']:.1f} % of the points visible, {depth}"
