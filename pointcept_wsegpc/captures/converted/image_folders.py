"""Frames of a folder of images with poses: the scannet_2d layout of BPNet, OpenScene and WSegPC.

    SCENE/color/N.jpg · depth/N.png (16 bit, mm) · pose/N.txt (4x4, camera to world)
          label/N.png (NYU40 ids) · label_sp_sparse/N.npz (regions) · intrinsic/N.txt · SCENE.txt

H x W pixels at the stored size. Pixel centers at integers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...camera import resize_intrinsic
from ...camera.resample import nearest_index, resample_color, resample_to
from ..frames import BadFrame, Frames, View, invert_pose, resample_depth
from ..images import image_size, open_image, read_color, read_depth
from ..numbers import read_matrix
from ..scannet.raw import nyu40_to_scannet20
from .arrays import read_superpoints
from .cameras import find_cameras

NO_COLOR = "a pose or depth but no image"
NO_NUMBER = "a name that is no number"


class ImageFolderFrames(Frames):
    """Good frames of a scene folder whose number is a multiple of `every`; the bad are in `log`.

    The depth camera is the view's camera, scaled to `size` (H, W); color is resampled onto it.
    regions: read those of the layout, too; `num_regions` counts the views that have some.
    """

    def __init__(self, folder, every: int, size, depth_scale: float = 1000.0, regions=False):
        super().__init__(size)
        self.folder, self.depth_scale, self.regions = Path(folder), depth_scale, regions
        self.num_regions = 0
        self.paths = {f: p for f, p in numbered(self.folder / "color").items() if f % every == 0}
        self.items = sorted(self.paths)
        self._depth_paths = numbered(self.folder / "depth")
        self._pose_paths = numbered(self.folder / "pose")
        self.log.bad = self._skipped(every)
        self.cameras = None
        depth_size = first_size(self._depth_paths.values())
        if depth_size is not None:
            self.cameras = find_cameras(self.folder, depth_size)
            self.intrinsic = resize_intrinsic(
                self.cameras.depth, self.cameras.depth_size, self.size
            )

    def _skipped(self, every):
        """{reason: frames or names} of files that are no frame."""
        images = numbered(self.folder / "color")
        lonely = (set(self._depth_paths) | set(self._pose_paths)) - set(images)
        unnumbered = {p.name for p in (self.folder / "color").glob("*.*")}
        unnumbered -= {path.name for path in images.values()}
        found = {
            NO_COLOR: sorted(frame for frame in lonely if frame % every == 0),
            NO_NUMBER: sorted(unnumbered),
        }
        return {reason: frames for reason, frames in found.items() if frames}

    def read(self, frame):
        if frame not in self._pose_paths:
            raise BadFrame("no pose file")
        if frame not in self._depth_paths:
            raise BadFrame("no depth image")
        world_to_camera = invert_pose(self._pose(frame))
        depth = resample_depth(read_depth(self._depth_paths[frame], self.depth_scale), self.size)
        intrinsic, color_intrinsic, color_size = self.intrinsics_of(frame)
        color = read_color(self.paths[frame])
        own = resize_intrinsic(color_intrinsic, color_size, color.shape[:2])
        color = resample_color(color, own, intrinsic, self.size)
        region = read_view_regions(self.folder, frame, self.size) if self.regions else None
        self.num_regions += region is not None
        return View(frame, color, depth, intrinsic, world_to_camera, region)

    def _pose(self, frame):
        try:
            return read_matrix(self._pose_paths[frame])
        except ValueError as error:
            raise BadFrame("unreadable pose") from error

    def intrinsics_of(self, frame):
        """Intrinsic of the view, and of the color camera with its size (H, W)."""
        own = self.folder / "intrinsic" / f"{frame}.txt"  # Matterport3D: one per image
        if not own.is_file():
            return self.intrinsic, self.cameras.color, self.cameras.color_size
        size = first_size([self._depth_paths[frame]])
        matrix = read_matrix(own, (3, 3))
        return resize_intrinsic(matrix, size, self.size), matrix, size


class LabelFolder:
    """Label images of NYU40 ids beside the color images, on the views' grid."""

    kind = "label"

    def __init__(self, folder):
        self.paths = numbered(Path(folder) / "label")

    def label_image(self, view, frames) -> np.ndarray | None:
        """Label (H, W) int16 of a view of `ImageFolderFrames`, -1 = none; None without image."""
        try:
            with open_image(self.paths[view.frame]) as file:
                image = np.asarray(file)
        except (KeyError, OSError, ValueError):
            return None
        intrinsic, color, size = frames.intrinsics_of(view.frame)
        color = resize_intrinsic(color, size, image.shape[:2])
        return nyu40_to_scannet20(resample_to(image, color, intrinsic, frames.size))


def read_view_regions(folder, frame, size):
    """Region ids (H, W) int32 of label_sp_sparse/FRAME.npz on the depth grid at `size`; or None."""
    path = Path(folder) / "label_sp_sparse" / f"{frame}.npz"
    depth = Path(folder) / "depth" / f"{frame}.png"
    if not path.is_file() or not depth.is_file():
        return None
    if (native := image_size(depth)) is None:
        return None
    ids = read_superpoints(path, native[0] * native[1]).reshape(native)
    return ids[np.ix_(*map(nearest_index, native, size))]


def numbered(folder):
    """{number: path} of the images or text files of a folder that are named by a number."""
    paths = sorted(Path(folder).glob("*.*")) if Path(folder).is_dir() else ()
    return {int(p.stem): p for p in paths if p.stem.isascii() and p.stem.isdigit()}


def first_size(paths):
    """(H, W) of the first image that can be read; None where none can."""
    return next(filter(None, map(image_size, paths)), None)
