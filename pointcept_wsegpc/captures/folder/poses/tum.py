"""The TUM RGB-D benchmark's trajectory: `timestamp tx ty tz qx qy qz qw`, camera-to-world.

groundtruth.txt or trajectory.txt · intrinsic.txt · rgb/TIMESTAMP.png and depth/TIMESTAMP.png, or
rgb.txt and depth.txt with `timestamp path` lines. Depth images have 5000 values in a meter.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ....files import read_text
from ....files.arrays import reading
from ...numbers import DO, read_table
from ..layout import (
    DEPTH_FOLDERS,
    DEPTH_SUFFIXES,
    FileFinder,
    find,
    image_folder,
    list_files,
    list_images,
)
from .base import POSES, PoseFormat, Shot, Trajectory, rigid
from .cameras import find_intrinsic

MAX_DIFFERENCE = 0.02  # s, as the benchmark's own tools have it

Stamped = list[tuple[float, Path]]  # timestamp in s and file


@POSES.register("tum")
class TUMPoses(PoseFormat):
    files = "groundtruth.txt or trajectory.txt (TUM)"
    signs = ("groundtruth.txt", "trajectory.txt")

    @classmethod
    def read_trajectory(cls, scene):
        images = _stamped(scene, "rgb.txt", list_images(image_folder(scene)))
        depth_images = list_files(image_folder(scene, DEPTH_FOLDERS), DEPTH_SUFFIXES)
        depths = _stamped(scene, "depth.txt", depth_images)
        stamps, poses = read_poses(cls.found(scene)[0])
        camera = find_intrinsic(scene)

        def shot(stamp, pose):
            return Shot(pose, camera, nearest_file(depths, stamp, MAX_DIFFERENCE))

        found = timed_trajectory(images, stamps, poses, MAX_DIFFERENCE, shot)
        found.depth_scale = 5000.0
        return found


def read_poses(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Timestamps (P,) s and camera-to-world matrices (P, 4, 4) of a trajectory file."""
    from scipy.spatial.transform import Rotation

    rows = read_table(path, "timestamp tx ty tz qx qy qz qw")
    norm = np.linalg.norm(rows[:, 4:], axis=1)
    lost = ~((norm > 1e-6) & (norm < 1e6))
    rows[lost, 4:] = (0, 0, 0, 1)  # a rotation that SciPy takes
    poses = rigid(Rotation.from_quat(rows[:, 4:]), rows[:, 1:4])
    poses[lost] = np.nan
    return rows[:, 0], poses


def timed_trajectory(
    images: Stamped, stamps: np.ndarray, poses: np.ndarray, tolerance: float, shot: Callable
) -> Trajectory:
    """Images with the poses (P, 4, 4) whose timestamps (P,) s are nearest, within the tolerance.

    shot(timestamp, pose): the Shot of an image, None where it has no camera.
    """
    found, used = Trajectory([image for _, image in images]), set()
    for stamp, image in images:
        nearest = match(stamps, stamp, tolerance)
        if nearest is not None and (taken := shot(stamp, poses[nearest])):
            used.add(nearest)
            found.shots[image] = taken
    # Motion capture has several poses between two images: no fault where images are hit.
    if len(stamps) <= 1.5 * len(images):
        found.unmatched = [f"{stamps[i]:.6f}" for i in range(len(stamps)) if i not in used]
    return found


def match(stamps: np.ndarray, stamp: float, tolerance: float) -> int | None:
    """Index of the nearest of the timestamps (P,), None if it is farther than the tolerance."""
    distance = np.abs(np.asarray(stamps) - stamp)
    nearest = int(distance.argmin()) if len(distance) else None
    return None if nearest is None or distance[nearest] > tolerance else nearest


def nearest_file(files: Stamped, stamp: float, tolerance: float) -> Path | None:
    """The file whose timestamp is nearest, None if it is farther than the tolerance."""
    nearest = match([other for other, _ in files], stamp, tolerance)
    return None if nearest is None else files[nearest][1]


def _stamped(scene, listing, images):
    """(timestamp, path) of all images, from the listing if there is one, else from the names."""
    for path in find(scene, listing):
        with reading(path, "`timestamp path` a line", DO):
            lines = [line for line in read_text(path).splitlines() if line.strip()]
            files = FileFinder(scene, images)
            return [_row(files, line) for line in lines if line[0] != "#"]
    try:
        return [(float(image.stem), image) for image in images]
    except ValueError:
        raise ValueError(
            f"{scene}: names of images are no timestamps ({images[0].name}); rename them, or list "
            f"them in {listing}, `timestamp path` a line"
        ) from None


def _row(files, line):
    """(timestamp in s, path) of a line of a listing, be there a file or not."""
    stamp, name = (*line.split(maxsplit=1), "")[:2]
    name = name.strip()
    if not name:
        raise ValueError(f"a line is {line!r:.60}")
    return float(stamp.replace(",", ".")), files.find(name) or files.base / name
