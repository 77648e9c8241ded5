"""COLMAP's sparse model: cameras and images, as text or binary, in sparse/0, sparse or the scene.

An image's pose is world-to-camera, quaternion (w first) and translation. Pixel centers lie at
half-integers there.
"""

import struct

import numpy as np

from ....files import read_text
from ....files.arrays import reading
from ...numbers import DO
from ..layout import FileFinder, find, image_folder, images_with_depth
from .base import POSES, PoseFormat, Shot, Trajectory, rigid
from .cameras import Camera, pinhole

FOLDERS = ("sparse/0/", "sparse/", "")
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
        return _model(scene) is not None

    @staticmethod
    def read_trajectory(scene):
        cameras_file, images_file = _model(scene)
        binary = images_file.suffix.lower() == ".bin"
        with reading(cameras_file, "COLMAP's cameras", DO):
            cameras = dict((_cameras_bin if binary else _cameras_txt)(cameras_file))
        images = images_with_depth(scene)
        files, found = FileFinder(image_folder(scene) or scene, images), Trajectory(list(images))
        with reading(images_file, "COLMAP's images", DO):
            for name, *pose, camera in (_images_bin if binary else _images_txt)(images_file):
                image = files.find(name)
                if image is None:
                    found.unmatched.append(name)
                elif camera not in cameras:
                    raise ValueError(
                        f"{images_file}: {name} is of camera {camera}, which {cameras_file} lacks; "
                        "export both again"
                    )
                else:
                    shot = Shot(_camera_to_world(*pose), cameras[camera], images.get(image))
                    found.shots[image] = shot
        found.images += [image for image in found.shots if image not in images]
        return found


def _model(scene):
    """The files of cameras and images, the binary ones first; None where there are none."""
    for name in FOLDERS:
        for suffix in ("bin", "txt"):
            pair = [find(scene, f"{name}{part}.{suffix}") for part in ("cameras", "images")]
            if all(pair):
                return pair[0][0], pair[1][0]
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
    return [line for line in read_text(path).splitlines() if not line.startswith("#")]


def _float(word):
    return float(word.replace(",", "."))  # some exports have decimal commas


def _cameras_txt(path):
    for line in filter(str.strip, _rows(path)):
        number, model, width, height, *values = line.split()
        values = [_float(value) for value in values]
        yield int(number), _camera(model, int(width), int(height), values, path)


def _images_txt(path):
    """Every image has two lines; the second, of its 2D points, may be empty."""
    rows = _rows(path)
    while rows and not rows[0].strip():
        rows.pop(0)
    for line in rows[::2]:
        if not line.strip():
            continue
        words = line.split(maxsplit=9)  # a name may have spaces
        if len(words) < 10:
            raise ValueError(f"{len(words)} words in {line!r:.60}, not 10")
        pose = [_float(word) for word in words[1:8]]
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
    data = _Bytes(path)
    by_id = {number: (name, count) for name, (number, count, _) in MODELS.items()}
    for _ in range(data.take("Q")[0]):
        number, model, width, height = data.take("iiQQ")
        if model not in by_id:
            raise ValueError(f"{path}: unknown camera model {model}; export with fewer distortions")
        name, count = by_id[model]
        yield number, _camera(name, width, height, list(data.take(f"{count}d")), path)


def _images_bin(path):
    data = _Bytes(path)
    for _ in range(data.take("Q")[0]):
        values = data.take("i7di")
        name = data.text()
        (points,) = data.take("Q")
        data.at += 24 * points  # x and y of each in the image, id of its 3D point
        yield name, values[1:5], values[5:8], values[8]
