"""Whether the cameras of a user's scan fit its cloud, and errors if not. M points, H x W pixels."""

import numpy as np

from ...camera.fit import color_agreement, compare_depth, linked_colors
from ...clouds.spacing import LIKELY_EXTENT

MIN_SEEN = 0.01  # share of the pixels that show the cloud
MAX_ERROR = 0.25  # m, median |measured - rendered|
STEADY = 0.1  # spread of the ratio rendered / measured that tells a wrong unit
TOLERANCE = 0.05  # m, between a point and the depth at its pixel, to compare their colors


def check_fit(scan, frames, points):
    """{views, seen, depth_error m, depth_ratio, color_agreement} of the views that were compared.

    frames: a FolderFrames that was iterated; points: prepared arrays. None without a view; what
    cannot be told is None. seen: share of their pixels that show the cloud. Raises ValueError where
    no camera can be right, with the likely cause.
    """
    if not frames.compared:
        return None
    views = [view for view, _ in frames.compared]
    measured = [(view.depth, own) for view, own in frames.compared if own is not None]
    compared = compare_depth(*map(np.stack, zip(*measured, strict=True))) if measured else None
    error, quartiles = compared or (None, (None, None, None))
    seen = float(np.mean([(v.depth if own is None else own) > 0 for v, own in frames.compared]))
    length = float(np.ptp(points["coord"], axis=0).max())
    hint = (
        f"the cloud is {length:.4g} m long: if it is in millimeters, give --scale 0.001 (cloud and "
        "poses must have one unit)"
    ) * (length > LIKELY_EXTENT[1])
    if seen < MIN_SEEN or (measured and compared is None):
        raise ValueError(
            f"{scan}: {100 * seen:.1f} % of the images show the cloud; its poses are of another "
            f"frame or unit than the cloud{hint and '; '}{hint}"
        )
    if error is not None and error > MAX_ERROR:
        cause = hint or _cause(quartiles, frames.depth_scale)
        raise ValueError(f"{scan}: measured depth is {error:.2f} m off the cloud's; {cause}")
    colors = linked_colors(points["coord"], points["color"], views, TOLERANCE)
    fit = {
        "seen": seen,
        "depth_error": error,
        "depth_ratio": quartiles[1],
        "color_agreement": color_agreement(*colors),
    }
    rounded = {key: None if value is None else round(float(value), 4) for key, value in fit.items()}
    return {"views": len(views), **rounded}


def _cause(quartiles, depth_scale):
    """Why measured depth is off the cloud's, from quartiles of rendered / measured."""
    low, ratio, high = quartiles
    if high - low < STEADY * ratio and abs(ratio - 1) > 2 * STEADY:
        return (
            f"try --depth-scale {depth_scale / ratio:.4g} (now {depth_scale:.4g}), or --scale, "
            "if the cloud is not in meters"
        )
    return "its poses are of another frame than the cloud, or of another convention"
