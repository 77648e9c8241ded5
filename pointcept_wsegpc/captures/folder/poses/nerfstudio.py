"""Nerfstudio's and instant-ngp's transforms.json: one file with all cameras and poses.

`transform_matrix` is camera-to-world of an OpenGL camera: x right, y up, looking along -z. Pixel
centers lie at half-integers there. Intrinsics stand at the top or with each frame.
"""

import math

import numpy as np

from ....files import read_json
from ...frames import matrix4
from .base import (
    IMAGE_SUFFIXES,
    POSES,
    Camera,
    PoseFormat,
    Shot,
    Trajectory,
    image_folder,
    list_images,
    natural_key,
    pinhole,
)

FILE = "transforms.json"
FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
DISTORTION = ("k1", "k2", "p1", "p2", "k3")
MODELS = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "PERSPECTIVE")


@POSES.register("nerfstudio")
class NerfstudioPoses(PoseFormat):
    files = "transforms.json (Nerfstudio)"
    signs = (FILE,)

    @staticmethod
    def read_trajectory(scene):
        data = read_json(scene / FILE)
        found = Trajectory([])
        if data.get("integer_depth_scale"):  # instant-ngp: meters of one value
            found.depth_scale = 1 / float(data["integer_depth_scale"])
        if data.get("applied_transform"):
            found.applied = matrix4(data["applied_transform"], scene / FILE)
        for frame in data["frames"]:
            image = _image(scene, frame["file_path"])
            if image is None:
                found.unmatched.append(str(frame["file_path"]))
                continue
            pose = matrix4(frame["transform_matrix"], scene / FILE) @ FROM_OPENGL
            depth = scene / frame["depth_file_path"] if frame.get("depth_file_path") else None
            found.shots[image] = Shot(pose, _camera(scene, {**data, **frame}, image), depth)
        folder = next((path.parent for path in found.shots), None) or image_folder(scene)
        known = {path.resolve() for path in found.shots}
        others = [path for path in list_images(folder) if path.resolve() not in known]
        depths = {shot.depth for shot in found.shots.values()}
        others = [path for path in others if path not in depths]
        found.images = sorted([*found.shots, *others], key=natural_key)
        return found


def _image(scene, name):
    """The image that a frame names, with or without its suffix; None where there is none."""
    path = scene / name
    candidates = (path, *(path.with_name(path.name + suffix) for suffix in IMAGE_SUFFIXES))
    return next((path for path in candidates if path.is_file()), None)


def _camera(scene, values, image):
    model = values.get("camera_model", "OPENCV")
    if model not in MODELS or values.get("is_fisheye") or values.get("k4"):
        raise ValueError(
            f"{scene / FILE}: camera model {model} with k4 = {values.get('k4', 0)} is no pinhole "
            "with OpenCV's distortion; "
            "undistort the images first (colmap image_undistorter)"
        )
    size = _size(values, image)
    if "fl_x" in values:
        fx = float(values["fl_x"])
    elif "camera_angle_x" in values:
        fx = size[1] / (2 * math.tan(float(values["camera_angle_x"]) / 2))
    else:
        raise ValueError(f"{scene / FILE}: expected fl_x or camera_angle_x, for {image.name}")
    fy = float(values.get("fl_y", fx))
    cx, cy = float(values.get("cx", size[1] / 2)), float(values.get("cy", size[0] / 2))
    distortion = tuple(float(values.get(name, 0)) for name in DISTORTION)
    return Camera(pinhole(fx, fy, cx - 0.5, cy - 0.5), size, distortion if any(distortion) else ())


def _size(values, image):
    """(H, W): as given, else of the image file."""
    if "w" in values and "h" in values:
        return int(values["h"]), int(values["w"])
    from PIL import Image

    with Image.open(image) as file:
        return file.height, file.width
