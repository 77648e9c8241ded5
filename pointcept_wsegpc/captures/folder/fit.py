"""What is said where the cameras of an own scan do not fit its cloud. M points, H x W pixels."""

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
    seen = [(view.depth if own is None else own) > 0 for view, own in frames.compared]
    measured = [(view.depth, own) for view, own in frames.compared if own is not None]
    fit = {
        "views": len(views),
        "seen": float(np.mean(seen)),
        "depth_error": None,
        "depth_ratio": None,
        "color_agreement": color_agreement(
            *linked_colors(points["coord"], points["color"], views, TOLERANCE)
        ),
    }
    length = float(np.ptp(points["coord"], axis=0).max())
    if not measured:
        _check_seen(scan, fit["seen"], length)
    else:
        images = map(np.stack, zip(*measured, strict=True))
        fit |= _check_depth(scan, *images, frames.depth_scale, length)
    return {key: round(value, 4) if value is not None else None for key, value in fit.items()}


def _unit_hint(length):
    return (
        f"the cloud is {length:.4g} m long: if it is in millimeters, give --scale 0.001 (cloud and "
        "poses must have one unit)"
    )


def _check_seen(scan, share, length):
    """Raise ValueError where hardly any pixel shows the cloud, which is `length` m long."""
    if share < MIN_SEEN:
        hint = f"; {_unit_hint(length)}" if length > LIKELY_EXTENT[1] else ""
        raise ValueError(
            f"{scan}: {100 * share:.1f} % of the images show the cloud; its poses are of another "
            f"frame or unit than the cloud{hint}"
        )


def _check_depth(scan, measured, rendered, depth_scale, length):
    compared = compare_depth(measured, rendered)
    _check_seen(scan, float((rendered > 0).mean()) if compared else 0.0, length)
    error, (low, ratio, high) = compared
    if error > MAX_ERROR:
        cause = "its poses are of another frame than the cloud, or of another convention"
        if length > LIKELY_EXTENT[1]:
            cause = _unit_hint(length)
        elif high - low < STEADY * ratio and abs(ratio - 1) > 2 * STEADY:
            cause = (
                f"try --depth-scale {depth_scale / ratio:.4g} (now {depth_scale:.4g}), or --scale, "
                "if the cloud is not in meters"
            )
        raise ValueError(f"{scan}: measured depth is {error:.2f} m off the cloud's; {cause}")
    return {"depth_error": error, "depth_ratio": float(ratio)}
