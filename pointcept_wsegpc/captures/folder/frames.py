"""Posed images of a user's scan as views of one pinhole camera and one size.

H x W pixels at the stored size. Pixel centers at integer coordinates.
"""

import contextlib
from dataclasses import replace

import numpy as np

from ...camera.resample import resample_color
from ..frames import BadFrame, Frames, View, image_numbers, invert_pose
from ..images import image_size, read_color, read_depth
from .layout import list_depth, printable
from .photos import Letterbox, check_field, fit_camera, undistort, unmirrored, upright

FIT_VIEWS = 12  # of a scene, whose depth is compared with the cloud's
UNSEEN = "a camera that sees no point of the cloud (pose of another frame, unit or convention?)"
NO_POSE, NO_IMAGE, NO_DEPTH = "no pose", "a pose but no image", "no depth image"


class FolderFrames(Frames):
    """Good images of a Trajectory every `stride`; skipped ones are in `log`, by name.

    After an iteration: names {number: image}, rendered (numbers of views without a depth image),
    compared [(View, rendered depth, None where the View's is that)] of some, unseen (Views that see
    no point of the cloud) of those.

    A view's number is its image's where all names are numbers, else its place among the images.

    Args:
        place: camera-to-world (4, 4) of the capture -> that of the prepared scene.
        size: (H, W) of the views, None: of the depth images. depth_scale: values of depth images
        in a meter.
        renderer: of depth where there is no depth image, and for comparison; see camera/zbuffer.py;
        None: images without depth are skipped.
    """

    def __init__(self, trajectory, place, size, stride, depth_scale, renderer):
        super().__init__(size or ())
        self.trajectory, self.place = trajectory, place
        self.depth_scale, self.renderer = depth_scale, renderer
        numbers = image_numbers([path.stem for path in trajectory.images])
        chosen = list(zip(numbers, trajectory.images, strict=True))[::stride]
        compare = set(np.linspace(0, max(len(chosen) - 1, 0), FIT_VIEWS).astype(int))
        self.items = [(*one, place in compare) for place, one in enumerate(chosen)]
        if trajectory.unmatched:
            self.log.bad[NO_IMAGE] = [printable(name) for name in trajectory.unmatched]
        self.names, self.rendered, self.compared, self.unseen = {}, [], [], []
        self._size_of = None  # of the images that a camera without a size belongs to

    def name(self, chosen):
        return printable(chosen[1].name)

    def about(self, scene) -> dict:
        """What the manifest says of the views that were read of a scene's folder."""
        rendered = {"from": self.renderer.kind, "views": self.rendered} if self.renderer else None
        used = {shot.depth for shot in self.trajectory.shots.values()}
        unused = [path for path in list_depth(scene) if path not in used] if self.rendered else []
        return {
            "images": {str(number): name for number, name in self.names.items()},
            "depth_scale": self.depth_scale,
            "rendered_depth": rendered,
            "unused_depth": [printable(path.relative_to(scene)) for path in unused],
        }

    def poses(self) -> tuple[list[int], np.ndarray]:
        """Numbers of the images with a usable pose, and these as world-to-camera (V, 4, 4)."""
        found = {}
        for number, image, _ in self.items:
            if shot := self.trajectory.shots.get(image):
                with contextlib.suppress(BadFrame):
                    found[number] = invert_pose(self.place(unmirrored(shot).camera_to_world))
        return list(found), np.array([*found.values()]).reshape(-1, 4, 4)

    def read(self, chosen):
        number, image, compare = chosen
        shot = self.trajectory.shots.get(image)
        if shot is None:
            raise BadFrame(NO_POSE)
        shot = unmirrored(shot)
        world_to_camera = invert_pose(self.place(shot.camera_to_world))
        depth_file = shot.depth if shot.depth and shot.depth.exists() else None
        if depth_file is None and self.renderer is None:
            raise BadFrame(NO_DEPTH)
        color = read_color(image)
        color, color_camera = _straight(color, self._sized(shot.camera))
        if depth_file is None:
            box = Letterbox(color.shape[:2], self.size)
            intrinsic = box.intrinsic(color_camera.intrinsic)
            depth, _ = self.renderer.draw(intrinsic, world_to_camera, self.size)
        else:
            measured = read_depth(depth_file, self.depth_scale)
            given = shot.depth_camera or fit_camera(self._sized(shot.camera), color.shape[:2])
            measured, depth_camera = _straight(measured, given, nearest=True)
            box = Letterbox(measured.shape, self.size or measured.shape)
            intrinsic, depth = box.intrinsic(depth_camera.intrinsic), box.depth(measured)
        check_field(color_camera.intrinsic, color.shape, intrinsic, depth.shape)
        color = resample_color(color, color_camera.intrinsic, intrinsic, depth.shape)
        view = View(number, color, depth, intrinsic, world_to_camera)
        if depth_file is None:
            if not depth.any():
                self.unseen += [view] * compare
                raise BadFrame(UNSEEN)
            self.rendered.append(number)
        if compare and self.renderer:
            self.compared.append((view, self._to_compare(view) if depth_file else None))
        self.names[number] = self.name(chosen)
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


def _straight(image, given, nearest=False):
    """An image as an upright camera without distortion takes it, and that camera."""
    fitted = fit_camera(given, image.shape[:2])
    return upright(undistort(image, fitted, nearest), fitted)


def folder_frames(trajectory, place, settings, size=None, renderer=None) -> FolderFrames:
    """The frames of a trajectory as the settings of a folder's scan have them."""
    scale = settings.depth_scale or trajectory.depth_scale
    return FolderFrames(trajectory, place, size, settings.stride, scale, renderer)


def image_sizes(images):
    """Sizes (H, W) of image files, each once; unreadable files are skipped."""
    return sorted({size for path in images if (size := image_size(path))})
