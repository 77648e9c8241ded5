"""What every pose convention is read into: images, and for each its camera and where that stood.

Pixel centres are at integer coordinates; a camera looks along +z, x right, y down.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ....files import read_json

IMAGE_FOLDERS = ("color", "images", "image", "rgb")
STREAM_FOLDERS = (*IMAGE_FOLDERS, "lowres_wide", "vga_wide", "wide")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")
DEPTH_SUFFIXES = (".png", ".tif", ".tiff", ".npy")
LEAST_FOCAL = 2.0  # px; smaller ones are in image widths
INTRINSIC_FILES = ("intrinsic.txt", "camera.json", "intrinsic.json")


@dataclass(frozen=True)
class Camera:
    """intrinsic (3, 3) px at `size` (H, W), or at the size of its images where that is None.

    distortion: OpenCV's coefficients k1 k2 p1 p2 k3 k4 k5 k6, as many as there are.
    """

    intrinsic: np.ndarray
    size: tuple | None = None
    distortion: tuple = ()

    def __post_init__(self):
        fx, fy = self.intrinsic[0, 0], self.intrinsic[1, 1]
        if not (np.isfinite(self.intrinsic).all() and min(fx, fy) > LEAST_FOCAL):
            raise ValueError(f"focal lengths of {fx:g} and {fy:g}; expected those in pixels")
        if self.size is not None and min(self.size) < 1:
            raise ValueError(f"a camera with images of {self.size[1]} x {self.size[0]} pixels")


@dataclass(frozen=True)
class Shot:
    """An image whose camera is known: camera_to_world (4, 4), and its depth image if any.

    depth_camera: None where the depth image shares the camera of the colour image.
    """

    camera_to_world: np.ndarray
    camera: Camera
    depth: Path | None = None
    depth_camera: Camera | None = None


@dataclass
class Trajectory:
    """All images of a scene in their order, the shots of those that have a pose, and the rest.

    unmatched: names of the poses that belong to no image. depth_scale: values of the depth images
    in a metre, as the convention has it.
    """

    images: list[Path]
    shots: dict[Path, Shot] = field(default_factory=dict)
    unmatched: list[str] = field(default_factory=list)
    depth_scale: float = 1000.0


def natural_key(text):
    """Sorts 'frame 2' before 'frame 10', and no two names alike: '02' before '2'."""
    parts = re.split(r"(\d+)", str(text))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], str(text)


def plain_form(name):
    """A file's name in the one Unicode form in which names are compared; macOS writes another."""
    return unicodedata.normalize("NFC", str(name))


def list_images(folder, suffixes=IMAGE_SUFFIXES):
    """Image files below a folder in natural order, hidden ones left out; [] without the folder."""
    if folder is None or not folder.is_dir():
        return []
    files = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in suffixes and not path.name.startswith(".")
    ]
    return sorted(files, key=lambda path: natural_key(path.relative_to(folder)))


def image_folder(scene, names=IMAGE_FOLDERS):
    """The first of the folders that there is, else None."""
    return next((scene / name for name in names if (scene / name).is_dir()), None)


def depth_of(image, images, folder):
    """The depth image that has the name in `folder` that the image has in `images`, else None."""
    if folder is None:
        return None
    name = image.relative_to(images).with_suffix("")
    candidates = (folder / f"{name}{suffix}" for suffix in DEPTH_SUFFIXES)
    return next((path for path in candidates if path.is_file()), None)


def matrix4(values, path):
    """A 4x4 matrix of 16 or 12 numbers, row by row; ValueError names the file."""
    values = np.asarray(values, dtype=np.float64).ravel()
    if len(values) not in (12, 16):
        raise ValueError(f"{path}: expected 4x4 numbers, got {len(values)}")
    matrix = np.eye(4)
    matrix[: len(values) // 4] = values.reshape(-1, 4)
    return matrix


def read_numbers(path):
    """All numbers of a text file, `#` begins a comment; ValueError names the file."""
    lines = (line.partition("#")[0] for line in path.read_text(encoding="utf-8").splitlines())
    try:
        return [float(word) for line in lines for word in line.replace(",", " ").split()]
    except ValueError as error:
        raise ValueError(f"{path}: expected numbers ({error})") from None


def pinhole(fx, fy, cx, cy):
    """The intrinsic (3, 3) of focal lengths and principal point in px."""
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=np.float64)


def read_intrinsic(path):
    """The camera in a file: Open3D's JSON, a matrix, or `fx fy cx cy [k1 k2 p1 p2 k3]`."""
    if path.suffix == ".json":
        return open3d_camera(read_json(path))
    values = read_numbers(path)
    if len(values) in (9, 16) and values[-1] == 1:
        side = round(len(values) ** 0.5)
        return Camera(np.reshape(values, (side, side))[:3, :3])
    if 4 <= len(values) <= 12:
        return Camera(pinhole(*values[:4]), distortion=tuple(values[4:]))
    raise ValueError(
        f"{path}: expected a 3x3 or 4x4 matrix, or fx fy cx cy [k1 k2 p1 p2 k3]; "
        f"got {len(values)} numbers"
    )


def open3d_camera(intrinsic):
    """Camera of Open3D's PinholeCameraIntrinsic, whose matrix is written column by column."""
    matrix = np.reshape(intrinsic["intrinsic_matrix"], (3, 3)).T
    return Camera(matrix.astype(np.float64), (int(intrinsic["height"]), int(intrinsic["width"])))


def find_intrinsic(scene):
    """The camera of a scene whose poses come without one; FileNotFoundError says what to write."""
    path = next((scene / name for name in INTRINSIC_FILES if (scene / name).is_file()), None)
    if path is None:
        raise FileNotFoundError(
            f"{scene} has poses but no intrinsics; write fx fy cx cy in pixels to intrinsic.txt"
        )
    return read_intrinsic(path)
