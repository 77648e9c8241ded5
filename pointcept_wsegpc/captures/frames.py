"""Frames as views of one pinhole camera and one size; shared by all captures.

V views, H x W pixels at the stored size, N points. Pixel centers are at integer coordinates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..camera import resize_intrinsic
from ..camera.resample import nearest_index, resample_color
from ..contracts.classes import IGNORE
from ..contracts.views import Views, write_view_image, write_views

MAX_METERS = 65.0  # maximum depth that a prepared depth image can hold
MIN_USED = 0.1  # share of the images that a capture should use


class BadFrame(ValueError):
    """This frame cannot become a view; the message is the same for all frames of its kind."""


@dataclass
class FrameLog:
    """Which frames were read, which were bad and why, and whether the capture is cut off."""

    read: int = 0
    bad: dict = field(default_factory=dict)  # reason -> [frame]
    truncated: str | None = None

    def __str__(self):
        parts = [f"{self.read} read"]
        for reason, frames in self.bad.items():
            parts.append(f"{len(frames)} with {reason}, such as {frames[0]}")
        parts += [f"truncated: {self.truncated}"] * bool(self.truncated)
        return ", ".join(parts)

    def check_used(self, used: int, capture: Any) -> None:
        """Raise ValueError where hardly any of the frames that were read became a view."""
        if used < MIN_USED * self.read:
            raise ValueError(
                f"{capture}: {used} of {self.read} images are used ({self}); expected at least "
                f"{100 * MIN_USED:.0f} %: mend what is named, or give --allow-few-images"
            )


@dataclass
class View:
    """One good frame at the stored size: color (H, W, 3) uint8, depth (H, W) float32 m or None.

    region (H, W), -1 = none, where the capture comes with regions of its images.
    """

    frame: int
    color: np.ndarray
    depth: np.ndarray | None
    intrinsic: np.ndarray  # (3, 3) float64 px
    world_to_camera: np.ndarray  # (4, 4) float64
    region: np.ndarray | None = None


class Frames:
    """The frames of one scene as views of `size` (H, W): `read(item)` of each item, in their order.

    Iterated once. Frames for which `read` raises BadFrame are in `log` under `name(item)`. A kind
    of frames gives both functions, or overrides them. Without `read`, the items are views.
    """

    def __init__(self, size: tuple, items: Iterable = (), read: Callable | None = None, name=None):
        self.size, self.items, self.log = tuple(size), items, FrameLog()
        self.read, self.name = read or self.read, name or self.name

    def read(self, item: Any) -> View:
        return item

    def name(self, item: Any) -> Any:
        return item

    def __iter__(self) -> Iterator[View]:
        for item in self.items:
            self.log.read += 1
            try:
                view = self.read(item)
            except BadFrame as error:
                self.log.bad.setdefault(str(error), []).append(self.name(item))
                continue
            yield view


def make_view(
    frame: int,
    color: np.ndarray,
    depth: np.ndarray | None,
    intrinsic: np.ndarray,
    camera_to_world: np.ndarray,
    size: tuple[int, int],
) -> View:
    """The view at `size` (H, W) of an image (h, w, 3) uint8 and its depth in m, both of one camera.

    intrinsic (3, 3) px of the image as given; depth (h', w') or None. BadFrame for an impossible
    pose, and for depth without a measurement.
    """
    world_to_camera = invert_pose(camera_to_world)
    stored = resize_intrinsic(intrinsic, color.shape[:2], size)
    color = resample_color(color, intrinsic, stored, size)
    depth = None if depth is None else resample_depth(depth, size)
    return View(frame, color, depth, stored, world_to_camera)


def invert_pose(camera_to_world):
    """World-to-camera (4, 4) float64; BadFrame for a lost or impossible pose."""
    pose = np.asarray(camera_to_world, dtype=np.float64)
    if not np.isfinite(pose).all():
        raise BadFrame("non-finite pose")
    last_row = np.abs(pose[3] - (0, 0, 0, 1)).max()
    if abs(np.linalg.det(pose[:3, :3]) - 1) > 0.05 or last_row > 1e-3:
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
    """The numbers that name the images; their positions if some are not numbers or occur twice."""
    numbers = [int(stem) if stem.isascii() and stem.isdigit() else -1 for stem in stems]
    usable = len(set(numbers)) == len(stems) and all(0 <= n < 10**9 for n in numbers)
    return numbers if usable else list(range(len(stems)))


def store_views(
    folder: Path, frames: Frames, labels=None, axis_alignment=None
) -> tuple[Views, dict]:
    """Write the images of all frames and views.npz; the Views, and the manifest's entries on them.

    labels: has `kind` and `label_image(view, frames)` -> (H, W) or None, as in view_labels.py.
    axis_alignment: world-to-gravity matrix (4, 4). Without a frame views.npz holds none: the caller
    decides what that means.
    """
    kept, unlabeled = [], []
    for view in frames:
        for kind in ("color", "depth", "region"):
            if (image := getattr(view, kind)) is not None:
                write_view_image(folder, view.frame, kind, image)
        if labels:
            label = labels.label_image(view, frames)
            if label is None:
                unlabeled.append(view.frame)
                label = np.full(frames.size, IGNORE)
            write_view_image(folder, view.frame, "label", label)
        kept.append((view.frame, view.intrinsic, view.world_to_camera))
    number, intrinsic, world_to_camera = zip(*kept, strict=True) if kept else ((), (), ())
    views = Views(
        np.array(number, np.int64),
        np.array(intrinsic, np.float64).reshape(-1, 3, 3),
        np.array(world_to_camera, np.float64).reshape(-1, 4, 4),
        frames.size,
        np.eye(4) if axis_alignment is None else axis_alignment,
    )
    write_views(folder, views)
    entries = {
        "num_views": len(kept),
        "frames": asdict(frames.log),
        "view_labels": labels.kind if labels else None,
        "unlabelled": unlabeled,
    }
    return views, entries
