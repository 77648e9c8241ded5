"""Frames as views of one pinhole camera: what all captures share, and those of ScanNet's `.sens`.

V views, H x W pixels at the stored size, N points. Pixel centres are at integer coordinates.
"""

from dataclasses import asdict, dataclass, field

import numpy as np
from PIL import Image

from ..camera.resample import nearest_index
from ..contracts.classes import IGNORE
from ..contracts.views import Views, write_view_image, write_views

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


def store_views(folder, frames, labels=None, axis_alignment=None):
    """Write the images of all frames and views.npz; returns the manifest's entries about them.

    labels: has `kind` and `read(view, frames)` -> (H, W) or None, as those of view_labels.py.
    axis_alignment: world-to-gravity matrix (4, 4). Without a frame views.npz holds none: the caller
    decides what that means.
    """
    kept, unlabelled = [], []
    for view in frames:
        write_view_image(folder, view.frame, "color", view.color)
        write_view_image(folder, view.frame, "depth", view.depth)
        if labels:
            label = labels.read(view, frames)
            if label is None:
                unlabelled.append(view.frame)
                label = np.full(frames.size, IGNORE)
            write_view_image(folder, view.frame, "label", label)
        kept.append((view.frame, view.intrinsic, view.world_to_camera))
    number, intrinsic, world_to_camera = zip(*kept, strict=True) if kept else ((), (), ())
    align = np.eye(4) if axis_alignment is None else axis_alignment
    write_views(folder, Views(number, intrinsic, world_to_camera, frames.size, align))
    return {
        "num_views": len(kept),
        "frames": asdict(frames.log),
        "view_labels": labels.kind if labels else None,
        "unlabelled": unlabelled,
    }
