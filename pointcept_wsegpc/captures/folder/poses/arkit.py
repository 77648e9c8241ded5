"""ARKitScenes: SCENE.traj, and an image, a depth image and a .pincam for every timestamp.

.traj: `timestamp`, axis times angle (3), translation (3), world-to-camera · STREAM/SCENE_TIME.png ·
STREAM_intrinsics/SCENE_TIME.pincam: `width height fx fy cx cy` · lowres_depth/SCENE_TIME.png in
millimeters. STREAM is lowres_wide, vga_wide or wide.
"""

import numpy as np

from ...frames import read_numbers
from .base import (
    POSES,
    STREAM_FOLDERS,
    Camera,
    PoseFormat,
    Shot,
    Trajectory,
    image_folder,
    list_images,
    natural_key,
    pinhole,
)
from .tum import match

STREAMS = STREAM_FOLDERS[-3:]
# s. Poses come ten times a second, and files' names have timestamps rounded to milliseconds.
MAX_DIFFERENCE, ROUNDING = 0.05, 0.0021


@POSES.register("arkit")
class ARKitPoses(PoseFormat):
    files = "*.traj (ARKitScenes)"

    @staticmethod
    def is_there(scene):
        return any(scene.glob("*.traj"))

    @staticmethod
    def read_trajectory(scene):
        path = min(scene.glob("*.traj"), key=natural_key)
        stamps, poses = read_traj(path)
        folder = image_folder(scene, STREAMS)
        images = list_images(folder)
        depths = _by_time(list_images(image_folder(scene, ("lowres_depth",))))
        pincams = _by_time(scene.glob(f"{folder.name}_intrinsics/*.pincam") if folder else [])
        found, used = Trajectory(images), set()
        for image in images:
            stamp = _time(image)
            nearest = match(stamps, stamp, MAX_DIFFERENCE)
            pincam = _nearest(pincams, stamp)
            if nearest is None or pincam is None:
                continue
            used.add(nearest)
            depth = _nearest(depths, stamp)
            found.shots[image] = Shot(poses[nearest], read_pincam(pincam), depth)
        if len(stamps) <= 1.5 * len(images):  # of other streams there are fewer images than poses
            found.unmatched = [f"{stamps[i]:.3f}" for i in range(len(stamps)) if i not in used]
        return found


def read_traj(path):
    """Timestamps (P,) s and camera-to-world matrices (P, 4, 4) of a .traj file."""
    from scipy.spatial.transform import Rotation

    rows = np.loadtxt(path, ndmin=2, dtype=np.float64)
    if rows.shape[1] != 7:
        raise ValueError(
            f"{path}: expected 7 numbers a line, timestamp, axis-angle, translation; "
            f"got {rows.shape[1]}"
        )
    world_to_camera = np.tile(np.eye(4), (len(rows), 1, 1))
    world_to_camera[:, :3, :3] = Rotation.from_rotvec(rows[:, 1:4]).as_matrix()
    world_to_camera[:, :3, 3] = rows[:, 4:]
    return rows[:, 0], np.linalg.inv(world_to_camera)


def read_pincam(path):
    """The camera in a .pincam file."""
    values = read_numbers(path)
    if len(values) != 6:
        raise ValueError(f"{path}: expected width height fx fy cx cy, got {len(values)} numbers")
    return Camera(pinhole(*values[2:]), (int(values[1]), int(values[0])))


def _time(path):
    """Timestamp in s at the end of a file's name, SCENE_TIME."""
    try:
        return float(path.stem.rpartition("_")[2])
    except ValueError:
        raise ValueError(f"{path}: expected a name that ends with _TIMESTAMP") from None


def _by_time(paths):
    paths = sorted(sorted(paths), key=_time)
    return np.array([_time(path) for path in paths]), paths


def _nearest(files, stamp):
    stamps, paths = files
    index = match(stamps, stamp, ROUNDING)
    return None if index is None else paths[index]
