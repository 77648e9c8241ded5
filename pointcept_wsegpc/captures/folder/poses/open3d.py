"""Open3D's camera trajectory: trajectory.json, whose entries belong to the images in their order.

An entry holds `extrinsic`, world-to-camera, written column by column, and `intrinsic`; where that
is missing, camera.json (PinholeCameraIntrinsic) or intrinsic.txt has it.
"""

import numpy as np

from ....files import read_json
from .base import (
    POSES,
    PoseFormat,
    Shot,
    Trajectory,
    find_intrinsic,
    images_with_depth,
    open3d_camera,
)

FILE = "trajectory.json"


@POSES.register("open3d")
class Open3DPoses(PoseFormat):
    files = "trajectory.json (Open3D)"
    signs = (FILE,)

    @staticmethod
    def read_trajectory(scene):
        images, path = images_with_depth(scene), scene / FILE
        entries = read_json(path)["parameters"]
        if images and len(entries) != len(images):
            raise ValueError(
                f"{path} has {len(entries)} cameras, there are {len(images)} images; an Open3D "
                "trajectory has one for each, in their order: add or remove what is missing"
            )
        shared = None
        found = Trajectory(list(images))
        for (image, depth), entry in zip(images.items(), entries, strict=False):
            if "intrinsic" in entry:
                camera = open3d_camera(entry["intrinsic"])
            else:
                camera = shared = shared or find_intrinsic(scene)
            pose = _inverse(np.reshape(entry["extrinsic"], (4, 4)).T)
            found.shots[image] = Shot(pose, camera, depth)
        found.unmatched = [f"camera {i}" for i in range(len(images), len(entries))]
        return found


def _inverse(extrinsic):
    """Camera-to-world (4, 4); NaN where there is none, as of a lost frame."""
    try:
        return np.linalg.inv(np.asarray(extrinsic, dtype=np.float64))
    except np.linalg.LinAlgError:
        return np.full((4, 4), np.nan)
