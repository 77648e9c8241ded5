"""How well the colors of projected points match the images: checks poses without measured depth.

Where depth was rendered from the cloud it agrees with the points under any poses; photographs do
not. N points, V views of H x W pixels; meters, pixel centers at integers.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..camera.fit import MIN_SPREAD, color_agreement, correlation
from ..camera.zbuffer import PointRenderer
from ..contracts.views import Views, read_view_image
from .explanations import Explanation, explanations
from .findings import Findings
from .fit import OVERLAY, TRIAL_VIEWS, UNEXPLAINED, PosedDepth, some

SWAPPED, UNRELATED = -0.2, 0.1  # correlation of red minus blue; of brightness
MIN_LINKS = 50

BAD, FOUND, CLEARER = 0.25, 0.4, 0.2  # scores: no fit, an explanation, and better by so much
CELLS = 12  # of a view's height; points far behind the nearest of their cell are hidden
BEHIND = 1.25  # times as far away
MIN_POINTS = 50
TRIAL_POINTS = 30_000


def photo_fit(coord: np.ndarray, color: np.ndarray, posed: list[PosedDepth]) -> float | None:
    """0..1: correlation of colors between points (N, 3) and images, times the share of cells of
    the images that have points. None where all is of one color. Depth is not used.
    """
    of_points, of_pixels, covered = [np.empty((0, 3))], [np.empty((0, 3))], []
    renderer = PointRenderer(coord)
    for view in posed:
        height, width = view.color.shape[:2]
        depth, shown = renderer.draw(view.intrinsic, view.world_to_camera, (height, width))
        row, col = np.nonzero(shown >= 0)
        point, z = shown[row, col], depth[row, col]
        edge = max(height // CELLS, 1)
        cell = row // edge, col // edge
        nearest = np.full((-(-height // edge), -(-width // edge)), np.inf)
        np.minimum.at(nearest, cell, z)
        seen = z < BEHIND * nearest[cell]
        of_points.append(color[point[seen]].astype(np.float64))
        of_pixels.append(view.color[row[seen], col[seen]].astype(np.float64))
        covered.append(np.isfinite(nearest).mean())
    of_points, of_pixels = np.concatenate(of_points), np.concatenate(of_pixels)
    if len(of_points) < MIN_POINTS:
        return 0.0
    of_points, of_pixels = of_points - of_points.mean(axis=0), of_pixels - of_pixels.mean(axis=0)
    spread = np.sqrt((of_points**2).sum() * (of_pixels**2).sum())
    if spread < MIN_SPREAD**2 * of_points.size:
        return None
    # Red and blue may be swapped, which is another matter.
    products = (of_points * of_pixels).sum(), (of_points * of_pixels[:, ::-1]).sum()
    return float(max(*products, 0) / spread * np.mean(covered))


def check_photos(
    findings: Findings,
    scene: Path,
    coord: np.ndarray,
    color: np.ndarray | None,
    posed: list[PosedDepth],
    views: Views,
    likely_size: bool,
) -> bool:
    """Add a diagnosis where points do not match the photographs; returns whether they match."""
    posed = with_colors(scene, some(posed, TRIAL_VIEWS))
    step = max(len(coord) // TRIAL_POINTS, 1)
    coord, color = coord[::step], None if color is None else color[::step]
    score = None if color is None else photo_fit(coord, color, posed)
    if score is not None:
        findings.metrics["photo_fit"] = round(score, 4)
        if score >= FOUND:
            return True
    trial = coord, color, posed, views, likely_size, score
    if color is not None and (found := explain_colors(*trial)):
        findings.drop("spacing", "extent", "depth-blank")
        findings.add(found.key, found.found, found.advice)
        return False
    if score is None:  # the points that are seen, or the images, are of one color
        what = "depth was rendered from the points, and what views see of them has no colors to"
        what = f"{what} compare: poses are not checked"
        findings.add("poses-unchecked", what, OVERLAY, wasted=False)
        return True
    if score < BAD:
        findings.add(
            "poses-unfit",
            f"poses do not fit the cloud: points and photographs agree by {score:.2f}, expected "
            f"{FOUND} or more (depth was rendered from the points)",
            UNEXPLAINED,
        )
    return score >= BAD


def with_colors(scene: Path, posed: list[PosedDepth]) -> list[PosedDepth]:
    """The views with their color images."""
    return [
        replace(v, color=read_view_image(scene, v.frame, "color", v.depth.shape)) for v in posed
    ]


def explain_colors(
    coord: np.ndarray,
    color: np.ndarray,
    posed: list[PosedDepth],
    views: Views,
    likely_size: bool,
    score: float | None = None,
) -> Explanation | None:
    """The mistake whose removal makes photographs fit best; None where none does, clearly.

    score: how well they fit as they are, as `photo_fit` has it.
    """
    best, quality = None, max(FOUND, (score or 0) + CLEARER)
    for explanation in explanations(views, likely_size):
        if explanation.key == "depth-unit":
            continue
        moved, trial_views = explanation.undo(coord, posed)
        trial = photo_fit(moved, color, trial_views)
        if trial is not None and trial > quality:
            best, quality = explanation, trial
    return best


def check_colors(findings: Findings, of_points: np.ndarray, of_pixels: np.ndarray) -> None:
    """Add swapped channels and unrelated images; colors (L, 3) of points and their pixels."""
    if len(of_points) < MIN_LINKS:
        return
    of_points, of_pixels = (colors.astype(np.float32) for colors in (of_points, of_pixels))
    warmth = [colors[:, 0] - colors[:, 2] for colors in (of_points, of_pixels)]
    order, light = correlation(*warmth), color_agreement(of_points, of_pixels)
    straight = float(np.abs(of_points - of_pixels).mean())
    swapped = float(np.abs(of_points - of_pixels[:, ::-1]).mean())
    findings.metrics.update(
        color_difference=round(straight, 2),
        red_blue_correlation=None if order is None else round(order, 3),
        brightness_correlation=None if light is None else round(light, 3),
    )
    if order is not None and order < SWAPPED and swapped < straight:
        bluish = "images" if warmth[1].mean() < warmth[0].mean() else "points"
        findings.add(
            "channels-swapped",
            f"red and blue are swapped between points and images: colors differ by {straight:.0f} "
            f"of 255, by {swapped:.0f} with channels swapped; the {bluish} are bluer: BGR?",
            f"store the {bluish} as RGB and prepare the data again",
        )
    elif light is not None and light < UNRELATED:
        findings.add(
            "colors-unrelated",
            f"colors of points and pixels do not go together (correlation {light:.2f})",
            "do the images belong to these poses? look at the overlay figures",
            wasted=False,
        )
