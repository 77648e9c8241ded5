"""The frames of a .sens stream, as views of a prepared scene."""

import numpy as np

from ... import camera
from ...camera.resample import resample_color
from ..frames import BadFrame, Frames, View, invert_pose, resample_depth
from ..images import check_color, measured
from .sens import SensReader, SensTruncated


class SensFrames(Frames):
    """Good frames of a .sens file every `stride`, resized; the bad ones are in `log`.

    The depth camera is the view's camera: its intrinsic, scaled per axis to `size` (H, W), is
    `intrinsic` (3, 3), and color is resampled onto its grid. Both cameras are taken to share
    one pose, as ScanNet's do. The header is read at once, the frames as they are asked for.
    """

    def __init__(self, path, stride: int, size: tuple[int, int]):
        super().__init__(size)
        self.path, self.stride = path, stride
        with SensReader(path) as reader:
            self.header = reader.header
        native = (self.header.depth_height, self.header.depth_width)
        depth, color = self.header.intrinsic_depth[:3, :3], self.header.intrinsic_color[:3, :3]
        self.intrinsic = camera.resize_intrinsic(depth, native, size)
        self.color_intrinsic = color.astype(np.float64)
        self.color_size = (self.header.color_height, self.header.color_width)

    def __iter__(self):
        with SensReader(self.path) as reader:
            self.items = reader.frames(self.stride)
            try:
                yield from super().__iter__()
            except SensTruncated as error:
                self.log.truncated = f"{error.readable} of {error.claimed} frames"

    def name(self, frame):
        return frame.index

    def read(self, frame):
        world_to_camera = invert_pose(frame.camera_to_world)
        depth = measured(_unpacked(frame, "depth"), self.header.depth_shift)
        depth = resample_depth(depth, self.size)
        color = _unpacked(frame, "color")
        check_color(color)
        color = resample_color(color, self.color_intrinsic, self.intrinsic, self.size)
        return View(frame.index, color, depth, self.intrinsic, world_to_camera)


def _unpacked(frame, kind):
    try:
        return getattr(frame, kind)()
    except ValueError as error:
        raise BadFrame(f"unreadable {kind} image") from error
