"""Replica as NICE-SLAM renders it: traj.txt, 16 numbers a line, camera-to-world of each frame.

results/frameNNNNNN.jpg · results/depthNNNNNN.png · cam_params.json here or beside the scenes, with
w h fx fy cx cy and the depth images' scale; or intrinsic.txt
"""

import numpy as np

from ....files import read_json
from ...numbers import read_table
from ..layout import find, pair_up
from .base import POSES, PoseFormat, Shot, Trajectory
from .cameras import find_intrinsic, intrinsic_file

DEPTH_SCALE = 6553.5  # of the rendered set
COLUMNS = " ".join(f"m{row}{column}" for row in range(4) for column in range(4))
HINT = " (of the rendered 1200x680 images: 600 600 599.5 339.5)"


@POSES.register("replica")
class ReplicaPoses(PoseFormat):
    files = "traj.txt (Replica)"
    signs = ("traj.txt",)

    @classmethod
    def read_trajectory(cls, scene):
        (path, *_) = cls.found(scene)
        poses = read_table(path, COLUMNS).reshape(-1, 4, 4)
        images, depths = (
            {p: p.stem for p in find(scene, f"results/{kind}*.*")} for kind in ("frame", "depth")
        )
        shared = scene if intrinsic_file(scene) else scene.parent
        camera = find_intrinsic(shared if intrinsic_file(shared) else scene, HINT)
        depth_of, found = pair_up(images, depths), Trajectory(list(images))
        found.depth_scale = _scale(intrinsic_file(shared))
        for image, pose in zip(images, poses, strict=False):
            found.shots[image] = Shot(np.array(pose), camera, depth_of.get(image))
        found.unmatched = [f"line {i + 1} of {path.name}" for i in range(len(images), len(poses))]
        return found


def _scale(path):
    """Values of the depth images in a meter, as the file of the camera has it."""
    if path is None or path.suffix.lower() != ".json":
        return DEPTH_SCALE
    values = read_json(path)
    return float(values.get("camera", values).get("scale", DEPTH_SCALE))
