"""Whether the colours of linked points and pixels agree, in the same order of channels.

N points, V views, L links.
"""

import numpy as np

from ... import camera
from ...contracts.views import read_view_image

SWAPPED, UNRELATED = -0.2, 0.1  # correlation of red minus blue; of brightness
LEAST_LINKS = 50
LEAST_SPREAD = 2.0  # grey values; below, all is of one colour and nothing can be said


def linked_colors(scene, coord, color, cameras, tolerance):
    """Colours (L, 3) float32 of the points (N, 3) that views see, and those of their pixels."""
    of_points, of_pixels = [np.empty((0, 3), np.float32)], [np.empty((0, 3), np.float32)]
    for frame, intrinsic, pose, depth in zip(
        cameras.frame, cameras.intrinsic, cameras.world_to_camera, cameras.depth, strict=True
    ):
        point, row, col = camera.visible_pixels(coord, intrinsic, pose, depth, tolerance)
        of_points.append(color[point].astype(np.float32))
        of_pixels.append(read_view_image(scene, frame, "color")[row, col, :3].astype(np.float32))
    return np.concatenate(of_points), np.concatenate(of_pixels)


def check_colors(findings, of_points, of_pixels):
    """Add swapped channels and unrelated images; colours (L, 3) of points and their pixels."""
    if len(of_points) < LEAST_LINKS:
        return
    warmth = [colors[:, 0] - colors[:, 2] for colors in (of_points, of_pixels)]
    brightness = [colors.mean(axis=1) for colors in (of_points, of_pixels)]
    order, light = correlation(*warmth), correlation(*brightness)
    straight = float(np.abs(of_points - of_pixels).mean())
    swapped = float(np.abs(of_points - of_pixels[:, ::-1]).mean())
    findings.measures.update(
        color_difference=round(straight, 2),
        red_blue_correlation=None if order is None else round(order, 3),
        brightness_correlation=None if light is None else round(light, 3),
    )
    if order is not None and order < SWAPPED and swapped < straight:
        bluish = "images" if warmth[1].mean() < warmth[0].mean() else "points"
        findings.add(
            "channels-swapped",
            f"red and blue are swapped between points and images: colours differ by {straight:.0f} "
            f"of 255, by {swapped:.0f} with channels swapped; the {bluish} are bluer: BGR?",
            f"store the {bluish} as RGB and prepare the data again",
        )
    elif light is not None and light < UNRELATED:
        findings.add(
            "colors-unrelated",
            f"colours of points and pixels do not go together (correlation {light:.2f})",
            "do the images belong to these poses? look at the overlay pictures",
            wasted=False,
        )


def correlation(a, b):
    """Pearson's, of two vectors; None where one of them hardly varies."""
    if min(a.std(), b.std()) < LEAST_SPREAD:
        return None
    return float(np.corrcoef(a, b)[0, 1])
