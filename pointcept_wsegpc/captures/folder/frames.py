"""Posed images of a user's scan as views of one pinhole camera and one size.

H x W pixels at the stored size. Pixel centers at integer coordinates.
"""

import contextlib
from dataclasses import replace

import numpy as np

from ...camera.resample import resample_color
from ..frames import (
    BadFrame,
    Frames,
    View,
    image_numbers,
    image_size,
    invert_pose,
    read_color,
    read_depth,
)
from .photos import Letterbox, fit_camera, undistort

FIT_VIEWS = 12  # of a scene, whose depth is compared with the cloud's
UNSEEN = "a camera that sees no point of the cloud (pose of another frame, unit or convention?)"
NO_POSE, NO_IMAGE = "no pose", "a pose but no image"


class FolderFrames(Frames):
    """Good images of a Trajectory every `stride`; skipped ones are in `log`, by name.

    After an iteration: names {number: image}, rendered (numbers of views without a depth image),
    compared [(View, rendered depth, None where the View's is that)] of some, unseen (Views that see
    no point of the cloud) of those.

    A view's number is its image's where all names are numbers, else its place among the images.

    Args:
        place: camera-to-world (4, 4) of the capture -> that of the prepared scene.
        size: (H, W) of the views. depth_scale: values of depth images in a meter.
        renderer: of depth where there is no depth image, and for comparison; see camera/zbuffer.py.
    """

    def __init__(self, trajectory, place, size, stride, depth_scale, renderer):
        super().__init__(size)
        self.trajectory, self.place = trajectory, place
        self.depth_scale, self.renderer = depth_scale, renderer
        numbers = image_numbers([path.stem for path in trajectory.images])
        chosen = list(zip(numbers, trajectory.images, strict=True))[::stride]
        compare = set(np.linspace(0, max(len(chosen) - 1, 0), FIT_VIEWS).astype(int))
        self.items = [(*one, place in compare) for place, one in enumerate(chosen)]
        if trajectory.unmatched:
            self.log.bad[NO_IMAGE] = list(trajectory.unmatched)
        self.names, self.rendered, self.compared, self.unseen = {}, [], [], []
        self._size_of = None  # of the images that a camera without a size belongs to

    def name(self, chosen):
        return chosen[1].name

    def about(self) -> dict:
        """What the manifest says of the views that were read."""
        rendered = {"from": self.renderer.kind, "views": self.rendered} if self.renderer else None
        return {
            "images": {str(number): name for number, name in self.names.items()},
            "depth_scale": self.depth_scale,
            "rendered_depth": rendered,
        }

    def poses(self) -> tuple[list[int], np.ndarray]:
        """Numbers of the images with a usable pose, and these as world-to-camera (V, 4, 4)."""
        found = {}
        for number, image, _ in self.items:
            if shot := self.trajectory.shots.get(image):
                with contextlib.suppress(BadFrame):
                    found[number] = invert_pose(self.place(shot.camera_to_world))
        return list(found), np.array([*found.values()]).reshape(-1, 4, 4)

    def read(self, chosen):
        number, image, compare = chosen
        shot = self.trajectory.shots.get(image)
        if shot is None:
            raise BadFrame(NO_POSE)
        world_to_camera = invert_pose(self.place(shot.camera_to_world))
        color = read_color(image)
        color_camera = fit_camera(self._sized(shot.camera), color.shape[:2])
        color = undistort(color, color_camera)
        if shot.depth is None:
            box = Letterbox(color.shape[:2], self.size)
            intrinsic = box.intrinsic(color_camera.intrinsic)
            depth, _ = self.renderer.draw(intrinsic, world_to_camera, self.size)
        else:
            measured, depth_camera = self._measured(shot, color_camera)
            box = Letterbox(measured.shape, self.size)
            intrinsic, depth = box.intrinsic(depth_camera.intrinsic), box.depth(measured)
        color = resample_color(color, color_camera.intrinsic, intrinsic, self.size)
        view = View(number, color, depth, intrinsic, world_to_camera)
        if shot.depth is None:
            if not depth.any():
                self.unseen += [view] * compare
                raise BadFrame(UNSEEN)
            self.rendered.append(number)
        if compare:
            self.compared.append((view, self._to_compare(view) if shot.depth else None))
        self.names[number] = image.name
        return view

    def _sized(self, given):
        """The camera with the size (H, W) that its numbers are for, where images differ in size."""
        if given.size is not None:
            return given
        if self._size_of is None:
            self._size_of = image_sizes(self.trajectory.shots)
        if len(self._size_of) < 2:
            return given
        column, row = given.intrinsic[:2, 2]  # near the middle of its images
        size = min(
            self._size_of, key=lambda s: abs(s[0] / 2 - 0.5 - row) + abs(s[1] / 2 - 0.5 - column)
        )
        return replace(given, size=size)

    def _to_compare(self, view):
        return self.renderer.draw(view.intrinsic, view.world_to_camera, self.size)[0]

    def _measured(self, shot, color_camera):
        """Depth (h, w) m of a shot's depth image, without distortion, and its camera."""
        depth = read_depth(shot.depth, self.depth_scale)
        depth_camera = fit_camera(shot.depth_camera or color_camera, depth.shape)
        return undistort(depth, depth_camera, nearest=True), depth_camera


def image_sizes(images):
    """Sizes (H, W) of image files, each once; unreadable files are skipped."""
    return sorted({size for path in images if (size := image_size(path))})
