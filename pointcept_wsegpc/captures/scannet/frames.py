"""The frames of a .sens stream, as views of a prepared scene."""

import numpy as np

from ... import camera
from ...camera.resample import resample_color
from ...files.arrays import FileError
from ..frames import BadFrame, Frames, View, invert_pose, resample_depth
from ..images import check_color, measured
from .sens import SensReader, SensTruncated

FOCAL = 20  # image sides that no focal length or principal point reaches


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
        if not _are_possible(self.header):
            raise FileError(f"{path} has impossible intrinsics in its header; download it again")
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


def _are_possible(header) -> bool:
    """Whether both cameras can be, and see about the same."""
    kinds = ("depth", "color")
    cameras = np.array([getattr(header, f"intrinsic_{kind}")[:2, :3] for kind in kinds])
    sizes = [[getattr(header, f"{kind}_{side}") for side in ("width", "height")] for kind in kinds]
    focal, center = cameras[:, (0, 1), (0, 1)] / sizes, cameras[:, :, 2] / sizes
    possible = (focal > 1 / FOCAL) & (focal < FOCAL) & (np.abs(center) < FOCAL)
    return bool(possible.all()) and bool((np.abs(np.log(focal[1] / focal[0])) < np.log(8)).all())


def _unpacked(frame, kind):
    try:
        return getattr(frame, kind)()
    except ValueError as error:
        raise BadFrame(f"unreadable {kind} image") from error
