"""Open3D's camera trajectory: trajectory.json, whose entries belong to the images in their order.

An entry holds `extrinsic`, world-to-camera, written column by column, and `intrinsic`; where that
is missing, camera.json (PinholeCameraIntrinsic) or intrinsic.txt has it.
"""

import numpy as np

from ....files import read_json
from ....files.arrays import reading
from ...numbers import DO
from ..layout import images_with_depth
from .base import POSES, PoseFormat, Shot, Trajectory
from .cameras import camera_of, find_intrinsic

FILE = "trajectory.json"


@POSES.register("open3d")
class Open3DPoses(PoseFormat):
    files = "trajectory.json (Open3D)"
    signs = (FILE,)

    @classmethod
    def read_trajectory(cls, scene):
        images, path = images_with_depth(scene), cls.found(scene)[0]
        with reading(path, "parameters, each with extrinsic", DO):
            entries = list(read_json(path)["parameters"])
            if images and len(entries) != len(images):
                raise ValueError(
                    f"{path} has {len(entries)} cameras, there are {len(images)} images; an Open3D "
                    "trajectory has one for each, in their order: add or remove what is missing"
                )
            return _trajectory(scene, images, entries)


def _trajectory(scene, images, entries):
    found, shared = Trajectory(list(images)), None
    for (image, depth), entry in zip(images.items(), entries, strict=False):
        if "intrinsic" in entry:
            camera = camera_of(entry["intrinsic"])
        else:
            camera = shared = shared or find_intrinsic(scene)
        found.shots[image] = Shot(_inverse(np.reshape(entry["extrinsic"], (4, 4)).T), camera, depth)
    found.unmatched = [f"camera {i}" for i in range(len(images), len(entries))]
    return found


def _inverse(extrinsic):
    """Camera-to-world (4, 4); NaN where there is none, as of a lost frame."""
    try:
        return np.linalg.inv(np.asarray(extrinsic, dtype=np.float64))
    except np.linalg.LinAlgError:
        return np.full((4, 4), np.nan)
