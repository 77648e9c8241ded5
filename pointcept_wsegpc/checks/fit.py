"""How well the points of a scene lie on the surfaces that its depth images see, and why not.

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
CLEARER = 0.25  # by this much an explanation must beat no explanation
SURE = 0.85  # no other explanation need be tried
LISTED = 5
OVERLAY = "look at the overlay figures"
UNEXPLAINED = f"no known mistake explains it: {OVERLAY}; are these the poses of this cloud?"


@dataclass(frozen=True)
class PosedDepth:
    """One view to compare points with: depth (H, W) m, 0 = missing, and color where asked for."""

    frame: int
    intrinsic: np.ndarray  # (3, 3)
    world_to_camera: np.ndarray  # (4, 4)
    depth: np.ndarray
    footprint: float  # m that a slanted surface may be off, for each meter of its depth
    color: np.ndarray | None = None


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

    def __str__(self):
        return (
            f"{self.share.mean():.0%} of the unhidden points lie on what views see and "
            f"{self.covered.mean():.0%} of what they see has points, expected {GOOD:.0%}"
        )


def read_posed_depth(scene: Path, views: Views, frames: list[int]) -> list[PosedDepth]:
    """The views of a scene whose `frame` is among `frames`, with their depth images."""
    return [
        PosedDepth(
            int(views.frame[v]),
            views.intrinsic[v],
            views.world_to_camera[v],
            read_view_image(scene, views.frame[v], "depth", views.size[v]),
            FOOTPRINT / views.intrinsic[v, 0, 0],
        )
        for v in np.flatnonzero(np.isin(views.frame, frames))
    ]


def some(views: list, count: int) -> list:
    """At most `count` of the views, evenly spread."""
    return [views[i] for i in spread(len(views), count)]


def measure_fit(
    coord: np.ndarray, posed: list[PosedDepth], tolerance: float, least: float = 0.0
) -> Fit:
    """Compare points (N, 3) with depth images.

    On the surface means within `tolerance` m and what a pixel covers there: at low resolution the
    depth of a slanted surface varies inside a pixel. Near means, in addition, twice the spacing of
    the points. A fit whose quality is below `least` anyhow has no covered pixels: they take time.
    """
    fit = fit_views(coord, posed, tolerance)
    share = fit.seen / np.maximum(fit.seen + fit.denied, 1)
    if len(share) and share.mean() < least:
        return Fit(share, np.zeros(len(share)), fit.median_error)
    covered = covered_shares(coord, posed, tolerance, spacing(coord))
    return Fit(share, covered, fit.median_error)


def check_fit(
    findings: Findings, coord: np.ndarray, posed: list[PosedDepth], views: Views, tolerance: float
) -> bool:
    """Measure how the points (N, 3) fit the views and add what is wrong, diagnosed, to findings.

    Returns whether they fit.
    """
    fit = measure_fit(coord[:: max(len(coord) // MAX_POINTS, 1)], posed, tolerance)
    bad = [view.frame for view, quality in zip(posed, fit.quality, strict=True) if quality < BAD]
    findings.metrics.update(
        fit=round(fit.total, 4),
        share=round(float(fit.share.mean()), 4),
        covered=round(float(fit.covered.mean()), 4),
        median_error=None if fit.error is None else round(fit.error, 4),
        bad_views=bad,
    )
    if fit.total >= BAD and len(bad) < 0.5 * len(posed):
        _add_doubts(findings, fit, bad)
        return True
    if findings.has("depth-unit"):  # it says it all
        return False
    found = diagnose(coord, posed, views, tolerance, not findings.has("spacing", "extent"))
    if found is None:
        findings.add("poses-unfit", f"poses do not fit the cloud: {fit}", UNEXPLAINED)
        return False
    if found.key in ("points-unit", "scene-unit"):
        findings.drop("spacing", "extent")
    findings.add(found.key, found.found, found.advice)
    return False


def _add_doubts(findings, fit, bad):
    if bad:
        findings.add(
            "views-unfit",
            f"{len(bad)} of {len(fit.share)} views do not fit the cloud (frames "
            f"{', '.join(map(str, bad[:LISTED]))}{' …' * (len(bad) > LISTED)})",
            f"leave these frames out and prepare the scene again; {OVERLAY}",
            wasted=False,
        )
    elif fit.total < GOOD:
        fix = f"poses may be noisy, or the cloud incomplete: {OVERLAY}"
        findings.add("fit-poor", str(fit), fix, wasted=False)


def diagnose(
    coord: np.ndarray, posed: list[PosedDepth], views: Views, tolerance: float, likely_size: bool
) -> Explanation | None:
    """The mistake whose removal makes points and depth agree best; None if none explains it."""
    step = max(len(coord) // TRIAL_POINTS, 1)
    coord, posed = coord[::step], some(posed, TRIAL_VIEWS)
    best, quality = None, max(BAD, CLEARER + measure_fit(coord, posed, tolerance).total)
    for explanation in explanations(views, likely_size):
        trial = measure_fit(*explanation.undo(coord, posed), tolerance, quality)
        if trial.total > quality:
            best, quality = explanation, trial.total
        if quality > SURE:
            break
    return best
