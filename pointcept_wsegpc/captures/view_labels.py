"""Label images of a scene's views: ScanNet's own, or rendered from labeled points.

H x W pixels at the stored size, N points. Both sources have `kind` and `label_image(view, frames)`.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from .. import camera
from ..contracts.classes import IGNORE

RENDER_DISTANCE = 0.1  # m; farther from every point, a pixel has no rendered label


class LabelRenderer:
    """Label images from labeled points: every pixel takes its nearest point's label in 3D."""

    kind = "rendered"

    def __init__(self, coord, segment):
        self.tree, self.segment = cKDTree(coord), np.append(segment, IGNORE).astype(np.int16)

    def label_image(self, view, frames) -> np.ndarray | None:
        """Label (H, W) int16; IGNORE without depth, or without a point in RENDER_DISTANCE.

        None for a view without a depth image.
        """
        if view.depth is None:
            return None
        seen = view.depth > 0
        pose = np.linalg.inv(view.world_to_camera)
        points = camera.back_project(view.depth, view.intrinsic, pose)[seen]
        _, nearest = self.tree.query(points, distance_upper_bound=RENDER_DISTANCE)
        label = np.full(view.depth.shape, IGNORE, dtype=np.int16)
        label[seen] = self.segment[nearest]  # "none within reach" is index N, the appended IGNORE
        return label
