"""The TUM RGB-D benchmark's trajectory: `timestamp tx ty tz qx qy qz qw`, camera-to-world.

groundtruth.txt or trajectory.txt · intrinsic.txt · rgb/TIMESTAMP.png and depth/TIMESTAMP.png, or
rgb.txt and depth.txt with `timestamp path` lines. Depth images have 5000 values in a meter.
"""

import numpy as np

from .base import (
    DEPTH_SUFFIXES,
    POSES,
    PoseFormat,
    Shot,
    Trajectory,
    find_intrinsic,
    image_folder,
    list_images,
)

FILES = ("groundtruth.txt", "trajectory.txt")
MAX_DIFFERENCE = 0.02  # s, as the benchmark's own tools have it


@POSES.register("tum")
class TUMPoses(PoseFormat):
    files = "groundtruth.txt or trajectory.txt (TUM)"

    @staticmethod
    def is_there(scene):
        return any((scene / name).is_file() for name in FILES)

    @staticmethod
    def read_trajectory(scene):
        images = _stamped(scene, "rgb.txt", list_images(image_folder(scene)))
        depth_images = list_images(image_folder(scene, ("depth",)), DEPTH_SUFFIXES)
        depths = _stamped(scene, "depth.txt", depth_images)
        path = next(scene / name for name in FILES if (scene / name).is_file())
        stamps, poses = read_poses(path)
        camera = find_intrinsic(scene)
        found, used = Trajectory([image for _, image in images], depth_scale=5000.0), set()
        depth_stamps = np.array([stamp for stamp, _ in depths])
        for stamp, image in images:
            nearest = match(stamps, stamp, MAX_DIFFERENCE)
            if nearest is None:
                continue
            used.add(nearest)
            depth = match(depth_stamps, stamp, MAX_DIFFERENCE)
            depth = None if depth is None else depths[depth][1]
            found.shots[image] = Shot(poses[nearest], camera, depth)
        # Motion capture has several poses between two images: no fault where images are hit.
        if len(stamps) <= 1.5 * len(images):
            found.unmatched = [f"{stamps[i]:.6f}" for i in range(len(stamps)) if i not in used]
        return found


def read_poses(path) -> tuple[np.ndarray, np.ndarray]:
    """Timestamps (P,) s and camera-to-world matrices (P, 4, 4) of a trajectory file."""
    from scipy.spatial.transform import Rotation

    try:
        rows = np.loadtxt(path, ndmin=2, dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"{path}: expected timestamp tx ty tz qx qy qz qw ({error})") from None
    if rows.shape[1] != 8:
        raise ValueError(
            f"{path}: expected 8 numbers a line, timestamp tx ty tz qx qy qz qw; "
            f"got {rows.shape[1]}"
        )
    poses = np.tile(np.eye(4), (len(rows), 1, 1))
    valid = np.linalg.norm(rows[:, 4:], axis=1) > 0
    poses[valid, :3, :3] = Rotation.from_quat(rows[valid, 4:]).as_matrix()
    poses[:, :3, 3] = rows[:, 1:4]
    poses[~valid] = np.nan
    return rows[:, 0], poses


def match(stamps, stamp, tolerance):
    """Index of the nearest of the timestamps (P,), None if it is farther than the tolerance."""
    if not len(stamps):
        return None
    distance = np.abs(stamps - stamp)
    nearest = int(distance.argmin())
    return nearest if distance[nearest] <= tolerance else None


def _stamped(scene, listing, images):
    """(timestamp, path) of all images, from the listing if there is one, else from the names."""
    if (scene / listing).is_file():
        lines = (scene / listing).read_text(encoding="utf-8").splitlines()
        rows = [line.split(maxsplit=1) for line in lines if line.strip() and line[0] != "#"]
        return [(float(stamp), scene / name.strip()) for stamp, name in rows]
    try:
        return [(float(image.stem), image) for image in images]
    except ValueError:
        raise ValueError(
            f"{scene}: names of images are no timestamps ({images[0].name}); rename them, or list "
            f"them in {listing}, `timestamp path` a line"
        ) from None
