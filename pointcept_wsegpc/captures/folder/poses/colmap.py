"""COLMAP's sparse model: cameras and images, as text or binary, in sparse/0, sparse or the scene.

An image's pose is world-to-camera, quaternion (w first) and translation. Pixel centers lie at
half-integers there.
"""

import struct

import numpy as np

from .base import (
    POSES,
    Camera,
    PoseFormat,
    Shot,
    Trajectory,
    image_folder,
    images_with_depth,
    pinhole,
    plain_form,
    rigid,
)

FOLDERS = ("sparse/0", "sparse", ".")
# name: (id in binary files, parameters, whether one focal length stands for both)
MODELS = {
    "SIMPLE_PINHOLE": (0, 3, True),
    "PINHOLE": (1, 4, False),
    "SIMPLE_RADIAL": (2, 4, True),
    "RADIAL": (3, 5, True),
    "OPENCV": (4, 8, False),
    "OPENCV_FISHEYE": (5, 8, False),
    "FULL_OPENCV": (6, 12, False),
    "FOV": (7, 5, False),
    "SIMPLE_RADIAL_FISHEYE": (8, 4, True),
    "RADIAL_FISHEYE": (9, 5, True),
    "THIN_PRISM_FISHEYE": (10, 12, False),
}
PINHOLES = ("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "FULL_OPENCV")


@POSES.register("colmap")
class ColmapPoses(PoseFormat):
    files = "sparse/0/ (COLMAP)"

    @classmethod
    def is_there(cls, scene):
        return _model_folder(scene) is not None

    @staticmethod
    def read_trajectory(scene):
        folder = _model_folder(scene)
        suffix = "bin" if (folder / "images.bin").is_file() else "txt"
        reading = {"bin": (_cameras_bin, _images_bin), "txt": (_cameras_txt, _images_txt)}[suffix]
        cameras = reading[0](folder / f"cameras.{suffix}")
        images, below = images_with_depth(scene), image_folder(scene)
        by_name = {plain_form(path.relative_to(below).as_posix()): path for path in images}
        found = Trajectory(list(images))
        for name, quaternion, translation, camera in reading[1](folder / f"images.{suffix}"):
            image = by_name.get(plain_form(name))
            if image is None:
                found.unmatched.append(name)
            else:
                pose = _camera_to_world(quaternion, translation)
                found.shots[image] = Shot(pose, cameras[camera], images[image])
        return found


def _model_folder(scene):
    for name in FOLDERS:
        for suffix in ("bin", "txt"):
            if all((scene / name / f"{part}.{suffix}").is_file() for part in ("cameras", "images")):
                return scene / name
    return None


def _camera(model, width, height, values, path):
    if model not in PINHOLES:
        raise ValueError(
            f"{path}: camera model {model} is no pinhole with OpenCV's distortion; "
            "undistort the images first (colmap image_undistorter)"
        )
    _, count, one_focal = MODELS[model]
    if len(values) != count:
        raise ValueError(f"{path}: {model} has {count} parameters, got {len(values)}")
    fx, fy, cx, cy, *distortion = (values[0], *values) if one_focal else values
    return Camera(pinhole(fx, fy, cx - 0.5, cy - 0.5), (height, width), tuple(distortion))


def _camera_to_world(quaternion, translation):
    from scipy.spatial.transform import Rotation

    return np.linalg.inv(rigid(Rotation.from_quat(np.roll(quaternion, -1)), translation))


def _rows(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def _cameras_txt(path):
    cameras = {}
    for line in filter(str.strip, _rows(path)):
        number, model, width, height, *values = line.split()
        cameras[int(number)] = _camera(
            model, int(width), int(height), [float(v) for v in values], path
        )
    return cameras


def _images_txt(path):
    """Every image has two lines; the second, of its 2D points, may be empty."""
    rows = _rows(path)
    while rows and not rows[0].strip():
        rows.pop(0)
    for line in rows[::2]:
        if not line.strip():
            continue
        words = line.split(maxsplit=9)  # a name may have spaces
        pose = [float(word) for word in words[1:8]]
        yield words[9].strip(), pose[:4], pose[4:], int(words[8])


class _Bytes:
    """Reads little-endian values from a binary file's content."""

    def __init__(self, path):
        self.data, self.at = path.read_bytes(), 0

    def take(self, layout):
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def text(self):
        end = self.data.index(b"\0", self.at)
        text, self.at = self.data[self.at : end].decode("utf-8"), end + 1
        return text


def _cameras_bin(path):
    data, cameras = _Bytes(path), {}
    by_id = {number: (name, count) for name, (number, count, _) in MODELS.items()}
    for _ in range(data.take("Q")[0]):
        number, model, width, height = data.take("iiQQ")
        if model not in by_id:
            raise ValueError(f"{path}: unknown camera model {model}; export with fewer distortions")
        name, count = by_id[model]
        cameras[number] = _camera(name, width, height, list(data.take(f"{count}d")), path)
    return cameras


def _images_bin(path):
    data = _Bytes(path)
    for _ in range(data.take("Q")[0]):
        values = data.take("i7di")
        name = data.text()
        (points,) = data.take("Q")
        data.at += 24 * points  # x and y of each in the image, id of its 3D point
        yield name, values[1:5], values[5:8], values[8]
