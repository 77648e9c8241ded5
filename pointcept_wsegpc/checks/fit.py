"""How well the points of a scene lie where its depth images see a surface, and why they do not.

N points, V views of H x W pixels. Coordinates in meters, pixel centers at integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..camera.fit import FOOTPRINT, covered_shares, fit_views, spread
from ..clouds.spacing import spacing
from ..contracts.views import Views, read_view_image
from .explanations import Explanation, explanations
from .findings import Findings

GOOD, BAD = 0.75, 0.5  # quality of a fit; below BAD, links are worth nothing
MAX_POINTS = 500_000  # compared; every n-th of a larger cloud
TRIAL_POINTS, TRIAL_VIEWS = 6000, 6  # compared with each explanation
CLEARER = 0.25  # an explanation must be better by so much than none
SURE = 0.85  # no other explanation need be tried
LISTED = 5
OVERLAY = "look at the overlay figures"


@dataclass
class PosedDepth:
    """One view to compare points with: depth (H, W) m, 0 = missing, and color where asked for."""

    frame: int
    intrinsic: np.ndarray  # (3, 3)
    world_to_camera: np.ndarray  # (4, 4)
    depth: np.ndarray
    color: np.ndarray | None = None


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

    def __iter__(self):
        arrays = self.frame, self.intrinsic, self.world_to_camera, self.depth
        return map(PosedDepth, *arrays)

    @property
    def footprints(self):
        """(V,) m that a slanted surface may be off, for each meter of its depth."""
        return FOOTPRINT / self.focal

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
    error: median |depth - z| of the points that are not hidden, m; None without any.
    """

    share: np.ndarray
    covered: np.ndarray
    error: float | None

    @property
    def quality(self):
        """(V,) 0..1, near 1 for right poses; an unseen or foreign cloud has 0."""
        return np.minimum(self.share, self.covered)

    @property
    def total(self):
        return float(self.quality.mean()) if len(self.share) else 0.0


def load_cameras(scene: Path, views: Views, frames: list[int]) -> Cameras:
    """The views of a scene whose `frame` is among `frames`, with their depth images."""
    chosen = np.flatnonzero(np.isin(views.frame, frames))
    depth = [read_view_image(scene, views.frame[v], "depth", views.size[v]) for v in chosen]
    arrays = (views.frame[chosen], views.intrinsic[chosen], views.world_to_camera[chosen])
    return Cameras(*arrays, depth, views.intrinsic[chosen, 0, 0])


def measure_fit(coord: np.ndarray, cameras: Cameras, tolerance: float) -> Fit:
    """Compare points (N, 3) with the depth images of the cameras.

    On the surface means within `tolerance` m and what a pixel covers there: at low resolution the
    depth of a slanted surface varies inside a pixel. Near means, in addition, twice the spacing of
    the points.
    """
    settings = cameras, tolerance, cameras.footprints
    fit = fit_views(coord, *settings)
    share = fit.seen / np.maximum(fit.seen + fit.denied, 1)
    return Fit(share, covered_shares(coord, *settings, spacing(coord)), fit.median_error)


def check_fit(
    findings: Findings, coord: np.ndarray, cameras: Cameras, views: Views, tolerance: float
) -> bool:
    """Measure how the points (N, 3) fit the views and add what is wrong, diagnosed, to findings.

    Returns whether they fit.
    """
    fit = measure_fit(coord[:: max(len(coord) // MAX_POINTS, 1)], cameras, tolerance)
    bad = fit.quality < BAD
    findings.metrics.update(
        fit=round(fit.total, 4),
        share=round(float(fit.share.mean()), 4),
        covered=round(float(fit.covered.mean()), 4),
        median_error=None if fit.error is None else round(fit.error, 4),
        bad_views=cameras.frame[bad].tolist(),
    )
    if fit.total >= BAD and bad.mean() < 0.5:
        _add_doubts(findings, cameras, fit, bad)
        return True
    if findings.has("depth-unit"):  # it says it all
        return False
    found = diagnose(coord, cameras, views, tolerance, not findings.has("spacing", "extent"))
    if found is None:
        findings.add(
            "poses-unfit",
            f"poses do not fit the cloud: {fit.share.mean():.0%} of the unhidden points lie on "
            f"what views see and {fit.covered.mean():.0%} of what they see has points, expected "
            f"{GOOD:.0%}",
            f"no known mistake explains it: {OVERLAY}; are these the poses of this cloud?",
        )
        return False
    if found.key in ("points-unit", "scene-unit"):
        findings.drop("spacing", "extent")
    findings.add(found.key, found.found, found.fix)
    return False


def _add_doubts(findings, cameras, fit, bad):
    if bad.any():
        frames = cameras.frame[bad]
        findings.add(
            "views-unfit",
            f"{bad.sum()} of {len(bad)} views do not fit the cloud (frames "
            f"{', '.join(map(str, frames[:LISTED]))}{' …' * (len(frames) > LISTED)})",
            f"leave these frames out and prepare the scene again; {OVERLAY}",
            wasted=False,
        )
    elif fit.total < GOOD:
        findings.add(
            "fit-poor",
            f"{fit.share.mean():.0%} of the unhidden points lie on what views see and "
            f"{fit.covered.mean():.0%} of what they see has points, expected {GOOD:.0%}",
            f"poses may be noisy, or the cloud incomplete: {OVERLAY}",
            wasted=False,
        )


def diagnose(
    coord: np.ndarray, cameras: Cameras, views: Views, tolerance: float, likely_size: bool
) -> Explanation | None:
    """The known mistake without which points and depth agree best; None if none explains it."""
    step = max(len(coord) // TRIAL_POINTS, 1)
    coord, cameras = coord[::step], cameras.some(TRIAL_VIEWS)
    best, quality = None, max(BAD, CLEARER + measure_fit(coord, cameras, tolerance).total)
    for explanation in explanations(views, likely_size):
        trial = measure_fit(*explanation.undo(coord, cameras), tolerance)
        if trial.total > quality:
            best, quality = explanation, trial.total
        if quality > SURE:
            break
    return best
