"""Whether the cameras of an own scan fit its cloud: by measured against rendered depth, by colours.

M points, H x W pixels. Metres.
"""

import numpy as np

from ...camera import visible_pixels

LEAST_SEEN = 0.01  # share of the pixels that show the cloud, at least
MOST_ERROR = 0.25  # m, median |measured - rendered|, at most
LARGE = 300.0  # m; a cloud that is longer is likely in another unit
STEADY = 0.1  # spread of the ratio rendered / measured that tells a wrong unit
TOLERANCE = 0.05  # m, between a point and the depth at its pixel, to compare their colours


def check_fit(scan, frames, points):
    """{views, seen, depth_error m, depth_ratio, color_agreement} of the views that were compared.

    frames: a FolderFrames that was iterated; points: prepared arrays. None without a view; what
    cannot be told is None. seen: share of their pixels that show the cloud. Raises ValueError where
    no camera can be right, with the likely cause.
    """
    if not frames.compared:
        return None
    measured = [(view.depth, own) for view, own in frames.compared if own is not None]
    fit = {
        "views": len(frames.compared),
        "seen": float(
            np.mean([(view.depth if own is None else own) > 0 for view, own in frames.compared])
        ),
        "depth_error": None,
        "depth_ratio": None,
        "color_agreement": color_agreement([view for view, _ in frames.compared], points),
    }
    length = float(np.ptp(points["coord"], axis=0).max())
    if not measured:
        _check_seen(scan, fit["seen"], length)
    else:
        images = map(np.stack, zip(*measured, strict=True))
        fit |= _depth_fit(scan, *images, frames.depth_scale, length)
    return {key: round(value, 4) if value is not None else None for key, value in fit.items()}


def _unit_hint(length):
    return (
        f"the cloud is {length:.4g} m long: if it is in millimetres, give --scale 0.001 (cloud and "
        "poses must have one unit)"
    )


def _check_seen(scan, share, length):
    """Raise ValueError where hardly any pixel shows the cloud, which is `length` m long."""
    if share < LEAST_SEEN:
        raise ValueError(
            f"{scan}: {100 * share:.1f} % of the images show the cloud; its poses are of another "
            f"frame or unit than the cloud{f'; {_unit_hint(length)}' if length > LARGE else ''}"
        )


def _depth_fit(scan, measured, rendered, depth_scale, length):
    both = (rendered > 0) & (measured > 0)
    _check_seen(scan, float((rendered > 0).mean()) if both.any() else 0.0, length)
    error = float(np.median(np.abs(measured[both] - rendered[both])))
    low, ratio, high = np.quantile(rendered[both] / measured[both], (0.25, 0.5, 0.75))
    if error > MOST_ERROR:
        cause = "its poses are of another frame than the cloud, or of another convention"
        if length > LARGE:
            cause = _unit_hint(length)
        elif high - low < STEADY * ratio and abs(ratio - 1) > 2 * STEADY:
            cause = (
                f"try --depth-scale {depth_scale / ratio:.4g} (now {depth_scale:.4g}), or --scale, "
                "if the cloud is not in metres"
            )
        raise ValueError(f"{scan}: measured depth is {error:.2f} m off the cloud's; {cause}")
    return {"depth_error": error, "depth_ratio": float(ratio)}


def color_agreement(views, points):
    """Correlation of brightness between points and the pixels that see them; None if it is even."""
    of_point, of_pixel = [], []
    for view in views:
        camera = view.intrinsic, view.world_to_camera
        point, row, col = visible_pixels(points["coord"], *camera, view.depth, TOLERANCE)
        of_point.append(points["color"][point].mean(axis=1))
        of_pixel.append(view.color[row, col].mean(axis=1))
    brightness = np.stack([np.concatenate(of_point), np.concatenate(of_pixel)])
    if brightness.shape[1] < 2 or (brightness.std(axis=1) < 1).any():
        return None
    return float(np.corrcoef(brightness)[0, 1])
