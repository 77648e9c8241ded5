"""The frames of a .sens stream, as views of a prepared scene."""

import numpy as np

from ... import camera
from ...camera.resample import resample_color
from ..frames import BadFrame, FrameLog, View, invert_pose, resample_depth
from .sens import SensTruncated


class FrameReader:
    """Good frames of a `SensReader` every `stride`, resized; the bad ones are in `log`.

    The depth camera is the view's camera: its intrinsic, scaled per axis to `size` (H, W), is
    `intrinsic` (3, 3), and colour is resampled onto its grid. Both cameras are taken to share
    one pose, as ScanNet's do.
    """

    def __init__(self, reader, stride, size):
        self.reader, self.stride, self.size = reader, stride, size
        native = (reader.depth_height, reader.depth_width)
        self.intrinsic = camera.resize_intrinsic(_matrix3(reader.intrinsic_depth), native, size)
        self.color_intrinsic = _matrix3(reader.intrinsic_color)
        self.color_size = (reader.color_height, reader.color_width)
        self.log = FrameLog()

    def __iter__(self):
        frames = self.reader.frames(stride=self.stride)
        try:
            yield from self.log.good(frames, self._view, lambda frame: frame.index)
        except SensTruncated as error:
            self.log.truncated = f"{error.readable} of {error.claimed} frames"

    def _view(self, frame):
        world_to_camera = invert_pose(frame.camera_to_world)
        depth = self._depth(frame)
        try:
            color = frame.color()
        except ValueError as error:
            raise BadFrame("unreadable colour image") from error
        color = resample_color(color, self.color_intrinsic, self.intrinsic, self.size)
        return View(frame.index, color, depth, self.intrinsic, world_to_camera)

    def _depth(self, frame):
        try:
            depth = frame.depth()
        except ValueError as error:
            raise BadFrame("unreadable depth image") from error
        depth = resample_depth(depth, self.size)
        return depth.astype(np.float32) / np.float32(self.reader.depth_shift)


def _matrix3(matrix):
    return np.asarray(matrix, dtype=np.float64)[:3, :3]
