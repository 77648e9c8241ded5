"""Images of any size and pinhole camera, brought onto the grid of a stored view.

h x w pixels as given, H x W as stored. Pixel centers at integer coordinates.
"""

from dataclasses import replace

import numpy as np

from ... import camera
from ...camera.resample import nearest_index
from ..frames import BadFrame
from .poses.cameras import Camera

MAX_FIELD = 8  # of an image's sides, as far as the field of its depth may reach
ASPECT_TOLERANCE = 0.02  # by which an image may be stretched against its calibration


def fit_camera(given, size):
    """The camera of an image of size (h, w), from a calibration at another size of that image."""
    if given.size is None or given.size == size:
        column, row = given.intrinsic[:2, 2]
        inside = 0 <= column + 0.5 <= size[1] and 0 <= row + 0.5 <= size[0]
        if given.size is None and not inside:
            raise BadFrame(
                f"a principal point ({column:g}, {row:g}) outside of its {size[1]} x {size[0]} "
                "image: the intrinsics are of another size"
            )
        return Camera(given.intrinsic, size, given.distortion)
    stretch = (size[0] / given.size[0]) / (size[1] / given.size[1])
    if abs(stretch - 1) > ASPECT_TOLERANCE:
        raise BadFrame("an image whose shape is not its camera's (cropped or turned?)")
    intrinsic = camera.resize_intrinsic(given.intrinsic, given.size, size)
    try:
        return Camera(intrinsic, size, given.distortion)
    except ValueError as error:
        raise BadFrame(f"a camera of another image size: {error}") from error


def check_field(intrinsic, size, target, target_size):
    """BadFrame where an image (h, w) is to fill a far larger field of view than its camera's."""
    for axis, (length, wanted) in enumerate(zip(size[1::-1], target_size[::-1], strict=True)):
        edges = (np.array([-0.5, wanted - 0.5]) - target[axis, 2]) / target[axis, axis]
        edges = edges * intrinsic[axis, axis] + intrinsic[axis, 2]
        if not (np.abs(edges) < MAX_FIELD * length).all():
            raise BadFrame("cameras of color and depth that do not see the same")


def unmirrored(shot):
    """A Shot whose pose and cameras mirror the same axis, y up for instance, without both."""
    rotation, fx, fy = shot.camera_to_world[:3, :3], *np.diag(shot.camera.intrinsic)[:2]
    if not (np.isfinite(rotation).all() and np.linalg.det(rotation) < 0 and fx * fy < 0):
        return shot
    axis = 0 if fx < 0 else 1
    turn = np.diag(np.where(np.arange(4) == axis, -1.0, 1.0))
    cameras = {
        name: replace(camera, intrinsic=camera.intrinsic * np.where(turn[:3, :3] < 0, -1, 1))
        for name in ("camera", "depth_camera")
        if (camera := getattr(shot, name)) is not None
    }
    return replace(shot, camera_to_world=shot.camera_to_world @ turn, **cameras)


def upright(image, given):
    """Image (h, w, ...) and camera with positive focal lengths: mirrored axes are turned."""
    intrinsic = given.intrinsic.copy()
    for axis, length in ((0, image.shape[1]), (1, image.shape[0])):
        if intrinsic[axis, axis] < 0:
            intrinsic[axis] *= -1
            intrinsic[axis, 2] += length - 1
            image = np.flip(image, axis=1 - axis)
    return np.ascontiguousarray(image), Camera(intrinsic, given.size, given.distortion)


def undistort(image, given, nearest=False):
    """Image (h, w, ...) as a camera of the same intrinsic without distortion would take it.

    OpenCV's model, radial and tangential: k1 k2 p1 p2 k3 k4 k5 k6. Bilinear, or the nearest pixel
    for depth; 0 where the image has nothing.
    """
    k1, k2, p1, p2, k3, k4, k5, k6 = (*given.distortion, *[0.0] * 8)[:8]
    if not any(given.distortion):
        return image
    fx, fy, cx, cy = given.intrinsic[[0, 1, 0, 1], [0, 1, 2, 2]]
    row, col = np.indices(image.shape[:2])
    x, y = (col - cx) / fx, (row - cy) / fy
    r2 = x * x + y * y
    radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    u = fx * (x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)) + cx
    v = fy * (y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y) + cy
    return _sample(image, v, u, nearest)


def _sample(image, row, col, nearest):
    from scipy.ndimage import map_coordinates

    channels = np.atleast_3d(image)
    sampled = np.stack(
        [
            map_coordinates(channels[..., c].astype(np.float32), (row, col), order=1 - nearest)
            for c in range(channels.shape[2])
        ],
        axis=-1,
    ).reshape(image.shape)
    return np.rint(sampled).astype(np.uint8) if image.dtype == np.uint8 else sampled


class Letterbox:
    """An image (h, w) resized into (H, W) without stretching it, with margins where it must."""

    def __init__(self, old_size, size):
        self.old_size, self.size = old_size, size
        scale = min(size[0] / old_size[0], size[1] / old_size[1])
        self.inner = tuple(max(1, round(old * scale)) for old in old_size)
        self.corner = tuple((new - own) // 2 for new, own in zip(size, self.inner, strict=True))

    def intrinsic(self, intrinsic):
        """The intrinsic (3, 3) of the resized image."""
        resized = camera.resize_intrinsic(intrinsic, self.old_size, self.inner)
        resized[0, 2] += self.corner[1]
        resized[1, 2] += self.corner[0]
        return resized

    def depth(self, depth):
        """Depth (h, w) on the new grid (H, W), nearest pixels; 0 in the margins."""
        # Nearest pixel: a mean of depths across an edge would be a surface that is not there.
        rows, cols = map(nearest_index, self.old_size, self.inner)
        placed = np.zeros(self.size, dtype=np.float32)
        (top, left), (height, width) = self.corner, self.inner
        placed[top : top + height, left : left + width] = depth[np.ix_(rows, cols)]
        return placed
