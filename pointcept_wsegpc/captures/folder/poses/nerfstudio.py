"""Nerfstudio's and instant-ngp's transforms.json: one file with all cameras and poses.

`transform_matrix` is camera-to-world of an OpenGL camera: x right, y up, looking along -z. Pixel
centers lie at half-integers there. Intrinsics stand at the top or with each frame.
"""

import math

import numpy as np

from ....files import read_json
from ....files.arrays import reading
from ...images import image_size
from ...numbers import DO, matrix4
from ..layout import FileFinder, image_folder, list_depth, list_images, list_photos, natural_key
from .base import POSES, PoseFormat, Shot, Trajectory
from .cameras import Camera, pinhole

FILE = "transforms.json"
FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
DISTORTION = ("k1", "k2", "p1", "p2", "k3")
MODELS = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "PERSPECTIVE")


@POSES.register("nerfstudio")
class NerfstudioPoses(PoseFormat):
    files = "transforms.json (Nerfstudio)"
    signs = (FILE,)

    @classmethod
    def read_trajectory(cls, scene):
        path = cls.found(scene)[0]
        with reading(path, "frames with file_path and transform_matrix", DO):
            return _trajectory(scene, path, read_json(path))


def _trajectory(scene, path, data):
    found = Trajectory([])
    if data.get("integer_depth_scale"):  # instant-ngp: meters of one value
        found.depth_scale = 1 / float(data["integer_depth_scale"])
    if data.get("applied_transform"):
        found.applied = matrix4(data["applied_transform"], path)
    photos = FileFinder(scene, list_photos(scene, beside=True))
    depths = FileFinder(scene, list_depth(scene))
    for frame in data["frames"]:
        image = photos.find(frame["file_path"])
        if image is None:
            found.unmatched.append(frame["file_path"])
            continue
        pose = matrix4(frame["transform_matrix"], path) @ FROM_OPENGL
        depth = depths.find(frame["depth_file_path"]) if frame.get("depth_file_path") else None
        found.shots[image] = Shot(pose, _camera(path, {**data, **frame}, image), depth)
    folder = next((image.parent for image in found.shots), None) or image_folder(scene)
    known = {image.resolve() for image in found.shots}
    known |= {shot.depth.resolve() for shot in found.shots.values() if shot.depth}
    others = [image for image in list_images(folder) if image.resolve() not in known]
    found.images = sorted([*found.shots, *others], key=natural_key)
    return found


def _camera(path, values, image):
    model = values.get("camera_model", "OPENCV")
    if model not in MODELS or values.get("is_fisheye") or values.get("k4"):
        raise ValueError(
            f"{path}: camera model {model} with k4 = {values.get('k4', 0)} is no pinhole "
            "with OpenCV's distortion; "
            "undistort the images first (colmap image_undistorter)"
        )
    size = _size(values, image)
    if "fl_x" in values:
        fx = float(values["fl_x"])
    elif "camera_angle_x" in values:
        fx = size[1] / (2 * math.tan(float(values["camera_angle_x"]) / 2))
    else:
        raise ValueError(f"{path}: expected fl_x or camera_angle_x, for {image.name}")
    fy = float(values.get("fl_y", fx))
    cx, cy = float(values.get("cx", size[1] / 2)), float(values.get("cy", size[0] / 2))
    distortion = tuple(float(values.get(name, 0)) for name in DISTORTION)
    return Camera(pinhole(fx, fy, cx - 0.5, cy - 0.5), size, distortion if any(distortion) else ())


def _size(values, image):
    """(H, W): as given, else of the image file."""
    if "w" in values and "h" in values:
        return int(values["h"]), int(values["w"])
    if (size := image_size(image)) is None:
        raise ValueError(f"w and h are not given, and {image.name} cannot be read")
    return size
