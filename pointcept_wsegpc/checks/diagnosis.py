"""Why the points of a scene and its views disagree. N points, V views; metres."""

import numpy as np

from .explanations import explanations
from .fit import BAD, GOOD, measure_fit

MOST_POINTS = 500_000  # compared; every n-th of a larger cloud
TRIAL_POINTS, TRIAL_VIEWS = 6000, 6  # compared with each explanation
CLEARER = 0.25  # an explanation must be better by so much than none
SURE = 0.85  # no other explanation need be tried
LISTED = 5
OVERLAY = "look at the overlay pictures"


def check_fit(findings, coord, cameras, views, tolerance):
    """Measure how the points (N, 3) fit the views and add what is wrong, diagnosed, to findings.

    Returns whether they fit.
    """
    fit = measure_fit(coord[:: max(len(coord) // MOST_POINTS, 1)], cameras, tolerance)
    bad = fit.quality < BAD
    findings.measures.update(
        fit=round(fit.total, 4),
        share=round(float(fit.share.mean()), 4),
        covered=round(float(fit.covered.mean()), 4),
        median_error=round(fit.error, 4) if np.isfinite(fit.error) else None,
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


def diagnose(coord, cameras, views, tolerance, likely_size=True):
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
