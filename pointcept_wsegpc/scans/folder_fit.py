"""Whether the cameras of an own scan fit its cloud: measured against rendered depth."""

import numpy as np

LEAST_SEEN = 0.01  # share of the pixels that show the cloud, at least
MOST_ERROR = 0.25  # m, median |measured - rendered| depth, at most
STEADY = 0.1  # spread of the ratio rendered / measured that tells a wrong unit


def check_fit(scan, frames):
    """{views, seen, depth_error m, depth_ratio} of the frames that were compared, None for none.

    frames: a FolderFrames that was iterated. seen: share of pixels of theirs that show the cloud.
    Raises ValueError where no camera can be right, with the likely cause.
    """
    if not frames.fit:
        return None
    measured, rendered = (np.stack(images) for images in zip(*frames.fit, strict=True))
    seen, both = rendered > 0, (rendered > 0) & (measured > 0)
    share = float(seen.mean())
    if share < LEAST_SEEN or not both.any():
        raise ValueError(
            f"{scan}: {100 * share:.1f} % of the images show the cloud; its poses are of another "
            "frame or unit than the cloud"
        )
    error = float(np.median(np.abs(measured[both] - rendered[both])))
    low, ratio, high = np.quantile(rendered[both] / measured[both], (0.25, 0.5, 0.75))
    if error > MOST_ERROR:
        cause = "its poses are of another frame than the cloud, or of another convention"
        if high - low < STEADY * ratio and abs(ratio - 1) > 2 * STEADY:
            cause = (
                f"try --depth-scale {frames.depth_scale / ratio:.4g} (now {frames.depth_scale:.4g})"
                ", or --scale, if the cloud is not in metres"
            )
        raise ValueError(f"{scan}: measured depth is {error:.2f} m off the cloud's; {cause}")
    return {
        "views": len(frames.fit),
        "seen": round(share, 4),
        "depth_error": round(error, 4),
        "depth_ratio": round(float(ratio), 4),
    }
