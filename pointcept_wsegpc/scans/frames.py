"""Frames as views of one pinhole camera: what all captures share, and those of ScanNet's `.sens`.

V views, H x W pixels at the stored size, N points. Pixel centres are at integer coordinates.
"""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from .. import camera
from ..camera.resample import nearest_index, resample_color
from .sens import SensTruncated

# What Pillow raises for a broken image.
UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


class BadFrame(ValueError):
    """This frame cannot become a view; the message is the same for all frames of its kind."""


@dataclass
class FrameLog:
    """Which frames were read, which were bad and why, and whether the capture is cut off."""

    read: int = 0
    bad: dict = field(default_factory=dict)  # reason -> [frame]
    truncated: str | None = None

    def good(self, frames, read, name=lambda frame: frame):
        """Yield read(frame) of every frame; where that is a BadFrame, note name(frame) instead."""
        for frame in frames:
            self.read += 1
            try:
                view = read(frame)
            except BadFrame as error:
                self.bad.setdefault(str(error), []).append(name(frame))
                continue
            yield view

    def __str__(self):
        parts = [f"{self.read} read"]
        parts += [f"{len(frames)} with {reason}" for reason, frames in self.bad.items()]
        parts += [f"truncated: {self.truncated}"] * bool(self.truncated)
        return ", ".join(parts)


@dataclass
class View:
    """One good frame at the stored size: color (H, W, 3) uint8, depth (H, W) float32 m."""

    frame: int
    color: np.ndarray
    depth: np.ndarray
    intrinsic: np.ndarray  # (3, 3) float64 px
    world_to_camera: np.ndarray  # (4, 4) float64


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


def image_size(path):
    """(H, W) of an image file; None where it cannot be read."""
    try:
        with Image.open(path) as file:
            return file.height, file.width
    except UNREADABLE:
        return None


def read_depth_image(path):
    """What a depth image file holds, of any type and shape."""
    try:
        with Image.open(path) as file:
            return np.asarray(file)
    except UNREADABLE as error:
        raise BadFrame("unreadable depth image") from error


def read_color(path):
    """Colour (h, w, 3) uint8 of an image file as stored: an EXIF rotation is not applied."""
    try:
        with Image.open(path) as file:
            return np.asarray(file.convert("RGB"))
    except UNREADABLE as error:
        raise BadFrame("unreadable colour image") from error


def invert_pose(camera_to_world):
    """World-to-camera (4, 4) float64; BadFrame for a lost or impossible pose."""
    pose = np.asarray(camera_to_world, dtype=np.float64)
    if not np.isfinite(pose).all():
        raise BadFrame("non-finite pose")
    if abs(np.linalg.det(pose[:3, :3]) - 1) > 0.05:
        raise BadFrame("non-rigid pose")
    return np.linalg.inv(pose)


def resample_depth(depth, size):
    """Depth (h, w) on the grid `size` (H, W); BadFrame where nothing was measured."""
    # Nearest pixel: a mean of depths across an edge would be a surface that is not there.
    depth = depth[np.ix_(*map(nearest_index, depth.shape, size))]
    if not depth.any():
        raise BadFrame("blank depth")
    return depth


def image_numbers(stems):
    """The numbers that images are named by; their places where some are no numbers or twice."""
    numbers = [int(stem) if stem.isascii() and stem.isdigit() else -1 for stem in stems]
    usable = len(set(numbers)) == len(stems) and all(0 <= n < 10**9 for n in numbers)
    return numbers if usable else list(range(len(stems)))
