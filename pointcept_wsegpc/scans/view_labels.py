"""Label images of a scene's views: ScanNet's own, or rendered from labelled points.

H x W pixels at the stored size, N points. Both sources have `kind` and `read(view, frames)`.
"""

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.spatial import cKDTree

from .. import camera
from ..camera.resample import resample_to
from ..contracts.classes import IGNORE

RENDER_DISTANCE = 0.1  # m; farther from every point, a pixel has no rendered label


class LabelImages:
    """ScanNet's `label-filt` images of one scene, zipped or unpacked, on the views' grid.

    Their pixels hold ScanNet ids at the colour camera's resolution.
    """

    kind = "label-filt"

    def __init__(self, source, label_map):
        self.source, self.label_map = Path(source), label_map
        self._zip = zipfile.ZipFile(source) if self.source.is_file() else None

    def read(self, view, frames):
        """Label (H, W) int16, IGNORE = none, of a view of the FrameReader `frames`.

        None where this frame has no readable label image.
        """
        try:
            image = np.asarray(Image.open(self._open(view.frame)))
        except (KeyError, OSError):
            return None
        intrinsic = camera.resize_intrinsic(
            frames.color_intrinsic, frames.color_size, image.shape[:2]
        )
        ids = resample_to(image, intrinsic, frames.intrinsic, frames.size)
        return self.label_map.class_of_id(ids)

    def _open(self, frame):
        if self._zip is None:
            return self.source / f"{frame}.png"
        return io.BytesIO(self._zip.read(f"label-filt/{frame}.png"))


class LabelRenderer:
    """Label images from labelled points: every pixel takes its nearest point's label in 3D."""

    kind = "rendered"

    def __init__(self, coord, segment):
        self.tree, self.segment = cKDTree(coord), np.append(segment, IGNORE).astype(np.int16)

    def read(self, view, frames):
        """Label (H, W) int16; IGNORE without depth, or without a point in RENDER_DISTANCE."""
        seen = view.depth > 0
        pose = np.linalg.inv(view.world_to_camera)
        points = camera.back_project(view.depth, view.intrinsic, pose)[seen]
        _, nearest = self.tree.query(points, distance_upper_bound=RENDER_DISTANCE)
        label = np.full(view.depth.shape, IGNORE, dtype=np.int16)
        label[seen] = self.segment[nearest]  # "none within reach" is index N, the appended IGNORE
        return label
