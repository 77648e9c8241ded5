"""ARKitScenes: SCENE.traj, and an image, a depth image and a .pincam for every timestamp.

.traj: `timestamp`, axis times angle (3), translation (3), world-to-camera · STREAM/SCENE_TIME.png ·
STREAM_intrinsics/SCENE_TIME.pincam: `width height fx fy cx cy` · lowres_depth/SCENE_TIME.png in
millimeters. STREAM is lowres_wide, vga_wide or wide. All of it lies in the scene's folder or, as it
is downloaded, in SCENE_frames/.
"""

import numpy as np

from ....files.arrays import reading
from ...numbers import DO, read_numbers, read_table
from ..layout import STREAM_FOLDERS, find, image_folder, list_images, natural_key
from .base import POSES, PoseFormat, Shot, rigid
from .cameras import Camera, pinhole
from .tum import nearest_file, timed_trajectory

STREAMS = STREAM_FOLDERS[-3:]
# s. Poses come ten times a second, and files' names have timestamps rounded to milliseconds.
MAX_DIFFERENCE, ROUNDING = 0.05, 0.0021


@POSES.register("arkit")
class ARKitPoses(PoseFormat):
    files = "*.traj (ARKitScenes)"
    signs = ("*.traj", "*_frames/*.traj")

    @classmethod
    def read_trajectory(cls, scene):
        from scipy.spatial.transform import Rotation

        path = min(cls.found(scene), key=natural_key)
        columns = "timestamp ax ay az tx ty tz"
        rows = read_table(path, columns)
        with reading(path, columns, DO):
            poses = np.linalg.inv(rigid(Rotation.from_rotvec(rows[:, 1:4]), rows[:, 4:]))
        folder = image_folder(path.parent, STREAMS)
        depths = _stamped(list_images(image_folder(path.parent, ("lowres_depth",))))
        pattern = f"{folder.name}_intrinsics/*.pincam" if folder else "none"
        pincams = _stamped(find(path.parent, pattern))

        def shot(stamp, pose):
            pincam = nearest_file(pincams, stamp, ROUNDING)
            depth = nearest_file(depths, stamp, ROUNDING)
            return None if pincam is None else Shot(pose, read_pincam(pincam), depth)

        images = _stamped(list_images(folder))
        return timed_trajectory(images, rows[:, 0], poses, MAX_DIFFERENCE, shot)


def read_pincam(path):
    """The camera in a .pincam file."""
    with reading(path, "width height fx fy cx cy", DO):
        values = read_numbers(path)
        if len(values) != 6:
            raise ValueError(f"{len(values)} numbers")
        return Camera(pinhole(*values[2:]), (int(values[1]), int(values[0])))


def _stamped(paths):
    """(timestamp in s, path) of files named SCENE_TIME, in their order."""
    return [(_time(path), path) for path in paths]


def _time(path):
    try:
        return float(path.stem.rpartition("_")[2])
    except ValueError:
        raise ValueError(f"{path}: expected a name that ends with _TIMESTAMP") from None
