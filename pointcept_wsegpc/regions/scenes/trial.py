"""Settings tried on a handful of points: wrong ones are told before the first scene is read.

A method alone knows which values it takes. M points, or H x W pixels.
"""

from __future__ import annotations

import numpy as np

from .. import apply, settings_of
from ..cloud import Cloud
from ..views import DepthView

SIDE = 6  # points, pixels
SPACING = 0.001  # metres; far below any length that makes sense for a scene
FROM_FILES = ("file",)  # methods whose settings only mean something together with a scene


def try_on_points(method, preset, settings, fill):
    """Raise ValueError where a method cannot do with its settings, or lacks a package."""
    i, j = np.indices((SIDE, SIDE)).reshape(2, -1)
    floor = np.stack([i, j, 0 * i], axis=1)
    coord = np.concatenate([floor, floor[:, [2, 1, 0]] + [0, 0, 1]])
    normal = np.repeat([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], len(floor), axis=0)
    settings = dict(settings)
    if settings.pop("mesh", None) is not None:
        settings["faces"], normal = np.array([[0, SIDE, 1]]), None
    cloud = Cloud(SPACING * coord, normal, np.full(coord.shape, 0.5))
    _try(cloud, method, preset, settings, fill)


def try_on_a_view(method, preset, settings, fill, depth_noise):
    """The same for the settings of views."""
    intrinsic = np.array([[SIDE, 0, SIDE / 2], [0, SIDE, SIDE / 2], [0, 0, 1.0]])
    color = np.full((SIDE, SIDE, 3), 0.5)
    view = DepthView(np.ones((SIDE, SIDE)), intrinsic, color, depth_noise)
    _try(view, method, preset, settings, fill)


def _try(cloud, method, preset, settings, fill):
    if method in FROM_FILES:
        return
    if "segment" in settings_of(method):
        settings = {**settings, "segment": np.zeros(cloud.shape, np.int32)}
    try:
        apply(cloud, method, preset, settings, fill)
    except (ImportError, OverflowError, TypeError) as error:
        raise ValueError(" ".join(str(error).split())) from error
