"""Whether the cameras of a user's scan fit its cloud, and errors if not. M points, H x W pixels."""

from __future__ import annotations

import json

import numpy as np

from ...camera.fit import FOOTPRINT, color_agreement, compare_depth, linked_colors, spread
from ...checks.colors import CLEARER, FOUND, explain_colors, photo_fit
from ...checks.explanations import Explanation
from ...checks.fit import BAD, TRIAL_POINTS, TRIAL_VIEWS, PosedDepth, diagnose, measure_fit, some
from ...checks.scene import Settings
from ...clouds.spacing import LIKELY_EXTENT
from ...contracts.views import Views
from .settings import SCENE_FILE

MIN_SEEN = 0.01  # share of the pixels that show the cloud
MAX_ERROR = 0.25  # m, median |measured - rendered|
STEADY = 0.1  # spread of the ratio rendered / measured that tells a wrong unit
TOLERANCE = 0.05  # m, between a point and the depth at its pixel, to compare their colors
UNKNOWN = "its poses are of another frame or unit than the cloud, or of another convention"


def check_fit(scan, frames, points, world):
    """{views, seen, depth_error m, depth_ratio, color_agreement} of the views that were compared.

    frames: a FolderFrames that was iterated; points: prepared arrays; world: where they lie. None
    without a view; what cannot be told is None. seen: share of their pixels that show the cloud.
    Raises ValueError where no camera can be right, and where a known mistake explains that they fit
    badly, with the mistake.
    """
    if not frames.compared:
        if frames.unseen:
            cause = _cause(frames, points, world)
            raise ValueError(f"{scan}: it has no usable image ({frames.log}); {cause}")
        return None
    measured = [(view.depth, own) for view, own in frames.compared if own is not None]
    compared = compare_depth(*map(np.stack, zip(*measured, strict=True))) if measured else None
    error, quartiles = compared or (None, (None, None, None))
    seen = float(np.mean([(v.depth if own is None else own) > 0 for v, own in frames.compared]))
    if seen < MIN_SEEN or (measured and compared is None):
        raise ValueError(
            f"{scan}: {100 * seen:.1f} % of the images show the cloud; "
            f"{_cause(frames, points, world)}"
        )
    if error is not None and error > MAX_ERROR:
        cause = _cause(frames, points, world, quartiles)
        raise ValueError(f"{scan}: measured depth is {error:.2f} m off the cloud's; {cause}")
    if found := diagnose_scan(frames, points, world):
        raise ValueError(f"{scan}: its cameras hardly fit the cloud; {_advice(found)}")
    views = [view for view, _ in frames.compared]
    colors = linked_colors(points["coord"], points["color"], views, TOLERANCE)
    fit = {
        "seen": seen,
        "depth_error": error,
        "depth_ratio": quartiles[1],
        "color_agreement": color_agreement(*colors),
    }
    rounded = {key: None if value is None else round(float(value), 4) for key, value in fit.items()}
    return {"views": len(views), **rounded}


def _cause(frames, points, world, quartiles=None):
    """Why cameras do not fit the cloud. quartiles: of rendered / measured depth, if known."""
    length = float(np.ptp(points["coord"], axis=0).max())
    if length > LIKELY_EXTENT[1]:
        return (
            f"the cloud is {length:.4g} m long: if it is in millimeters, give --scale 0.001 (cloud "
            "and poses must have one unit)"
        )
    if quartiles is not None:
        low, ratio, high = quartiles
        if high - low < STEADY * ratio and abs(ratio - 1) > 2 * STEADY:
            return (
                f"try --depth-scale {frames.depth_scale / ratio:.4g} (now "
                f"{frames.depth_scale:.4g}), or --scale, if the cloud is not in meters"
            )
    found = diagnose_scan(frames, points, world)
    return _advice(found) if found else UNKNOWN


def _advice(found):
    if not found.option:
        return f"{found.found}; {found.fix}"
    name, value = found.option.removeprefix("--").replace("-", "_", 1).split()
    own = json.dumps({name: float(value) if name == "scale" else value})
    return f"{found.found}; give {found.option}, or {SCENE_FILE} in its folder: {own}"


def diagnose_scan(frames, points, world) -> Explanation | None:
    """The known mistake that explains why cameras do not fit the cloud, where they do not.

    It is sought in the capture's own frame, where its poses were written.
    """
    shown = sorted([view for view, _ in frames.compared] + frames.unseen, key=lambda v: v.frame)
    chosen = spread(len(points["coord"]), TRIAL_POINTS)
    number, poses = frames.poses()
    coord, poses = world.back(points["coord"][chosen], poses)
    pose_of = dict(zip(number, poses, strict=True))
    posed = []
    for view in some(shown, TRIAL_VIEWS):
        camera, reach = (view.intrinsic, pose_of[view.frame]), FOOTPRINT / view.intrinsic[0, 0]
        posed.append(PosedDepth(view.frame, *camera, view.depth, reach, view.color))
    known = Views(np.array(number), np.zeros((len(poses), 3, 3)), poses, frames.size)
    likely = LIKELY_EXTENT[0] <= np.ptp(coord, axis=0).max() <= LIKELY_EXTENT[1]
    unmeasured = {*frames.rendered, *(view.frame for view in frames.unseen)}
    if measured := [view for view in posed if view.frame not in unmeasured]:
        if measure_fit(coord, measured, Settings.tolerance).total >= BAD:
            return None
        return diagnose(coord, measured, known, Settings.tolerance, likely)
    color = points["color"][chosen]
    score = photo_fit(coord, color, posed)
    if score is None or score >= FOUND:
        return None
    return explain_colors(coord, color, posed, known, likely, score)


def photos_fit_better(one, other, points) -> bool:
    """Whether photographs agree with the points in the poses of `one`, more than of `other`."""
    chosen = spread(len(points["coord"]), TRIAL_POINTS)
    coord, color = points["coord"][chosen], points["color"][chosen]
    scores = [photo_fit(coord, color, [*frames, *frames.unseen]) or 0.0 for frames in (one, other)]
    return scores[0] > scores[1] + CLEARER
