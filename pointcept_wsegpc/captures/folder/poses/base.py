"""Pose conventions: the registry, and what each is read into: images, cameras and their poses.

Your own convention is a class with `files`, `signs` and `read_trajectory`:

    @POSES.register("mine")
    class MyPoses(PoseFormat): ...

Pixel centers are at integer coordinates; a camera looks along +z, x right, y down.
"""

from __future__ import annotations

import re
import struct
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ....files import read_json
from ....registry import Registry
from ...frames import read_numbers

POSES = Registry("pose format")

IMAGE_FOLDERS = ("color", "images", "image", "rgb")
STREAM_FOLDERS = (*IMAGE_FOLDERS, "lowres_wide", "vga_wide", "wide")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")
DEPTH_SUFFIXES = (".png", ".tif", ".tiff", ".npy")
MIN_FOCAL = 2.0  # px; smaller ones are in image widths
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
        if not (np.isfinite(self.intrinsic).all() and min(fx, fy) > MIN_FOCAL):
            raise ValueError(f"focal lengths of {fx:g} and {fy:g}; expected those in pixels")
        if self.size is not None and min(self.size) < 1:
            raise ValueError(f"a camera with images of {self.size[1]} x {self.size[0]} pixels")


@dataclass(frozen=True)
class Shot:
    """An image whose camera is known: camera_to_world (4, 4), and its depth image if any.

    depth_camera: None where the depth image shares the camera of the color image.
    """

    camera_to_world: np.ndarray
    camera: Camera
    depth: Path | None = None
    depth_camera: Camera | None = None


@dataclass
class Trajectory:
    """All images of a scene in their order, the shots of those that have a pose, and the rest.

    unmatched: names of the poses that belong to no image. depth_scale: values of the depth images
    in a meter, as the convention has it. applied (4, 4): what the poses were moved by, None:
    nothing; a cloud may be of the frame before it.
    """

    images: list[Path]
    shots: dict[Path, Shot] = field(default_factory=dict)
    unmatched: list[str] = field(default_factory=list)
    depth_scale: float = 1000.0
    applied: np.ndarray | None = None


class PoseFormat:
    """One convention of poses in a scene's folder.

    files: what it looks like, for messages. signs: patterns of files, any of which tells it.
    """

    files: str
    signs: tuple[str, ...] = ()

    @classmethod
    def is_there(cls, scene: Path) -> bool:
        """Whether the folder has poses of this convention."""
        return any(any(scene.glob(pattern)) for pattern in cls.signs)

    @staticmethod
    def read_trajectory(scene: Path) -> Trajectory:
        """The images of the folder with their poses; ValueError names a malformed file."""
        raise NotImplementedError


def read_trajectory(scene: Path, name: str = "auto") -> tuple[str | None, Trajectory]:
    """(name of the pose format, Trajectory) of a scene's folder.

    A folder without images gives an empty trajectory and the name None. Raises one line where
    images have no poses, where the files of several formats are there and none was chosen, and
    where a file cannot be read.
    """
    formats = {known: POSES.get(known) for known in POSES.names()}
    found = [known for known, poses in formats.items() if poses.is_there(scene)]
    expected = " or ".join(poses.files for poses in formats.values())
    if name != "auto":
        if name not in found:
            raise FileNotFoundError(f"{scene} has no {name} poses; expected {expected}")
        found = [name]
    if not found:
        images = list_images(image_folder(scene, STREAM_FOLDERS))
        if images:
            raise FileNotFoundError(f"{scene} has {len(images)} images, no poses: add {expected}")
        return None, Trajectory([])
    if len(found) > 1:
        raise ValueError(
            f"{scene} has poses of {' and '.join(found)}; choose with --pose-format {found[0]}"
        )
    try:
        return found[0], formats[found[0]].read_trajectory(scene)
    except (KeyError, IndexError, TypeError, AttributeError, struct.error, ValueError) as error:
        if isinstance(error, ValueError) and str(scene) in str(error):
            raise  # it names its file
        raise ValueError(
            f"{scene}: its {found[0]} poses cannot be read ({type(error).__name__}: {error}); "
            "write them again"
        ) from error


def natural_key(text) -> tuple:
    """Sorts 'frame 2' before 'frame 10', and no two names alike: '02' before '2'."""
    parts = re.split(r"(\d+)", str(text))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], str(text)


def plain_form(name) -> str:
    """A file's name in the one Unicode form in which names are compared; macOS writes another."""
    return unicodedata.normalize("NFC", str(name))


def list_images(folder: Path | None, suffixes=IMAGE_SUFFIXES) -> list[Path]:
    """Image files below a folder in natural order, hidden ones skipped; [] without the folder."""
    if folder is None or not folder.is_dir():
        return []
    files = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in suffixes and not path.name.startswith(".")
    ]
    return sorted(files, key=lambda path: natural_key(path.relative_to(folder)))


def image_folder(scene: Path, names=IMAGE_FOLDERS) -> Path | None:
    """The first of the folders that there is, else None."""
    return next((scene / name for name in names if (scene / name).is_dir()), None)


def images_with_depth(scene: Path) -> dict[Path, Path | None]:
    """The images of a scene's folder in their order, each with the depth image of its name."""
    folder, depths = image_folder(scene), scene / "depth"
    found = {}
    for image in list_images(folder):
        name = image.relative_to(folder).with_suffix("")
        candidates = (depths / f"{name}{suffix}" for suffix in DEPTH_SUFFIXES)
        found[image] = next((path for path in candidates if path.is_file()), None)
    return found


def read_rows(path: Path, columns: str) -> np.ndarray:
    """Rows (P, n) float64 of a text file with these n columns; ValueError names the file."""
    count = len(columns.split())
    try:
        rows = np.loadtxt(path, ndmin=2, dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"{path}: expected {columns} in each line ({error})") from None
    if rows.shape[1] != count:
        raise ValueError(f"{path}: expected {count} numbers a line, {columns}; got {rows.shape[1]}")
    return rows


def rigid(rotation: Any, translation: np.ndarray) -> np.ndarray:
    """Matrices (..., 4, 4) of a SciPy Rotation and translations (..., 3)."""
    matrix = np.zeros((*np.shape(translation)[:-1], 4, 4))
    matrix[..., :3, :3], matrix[..., :3, 3] = rotation.as_matrix(), translation
    matrix[..., 3, 3] = 1
    return matrix


def pinhole(fx: float, fy: float, cx: float, cy: float) -> np.ndarray:
    """The intrinsic (3, 3) of focal lengths and principal point in px."""
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=np.float64)


def read_intrinsic(path: Path) -> Camera:
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


def open3d_camera(intrinsic: dict) -> Camera:
    """Camera of Open3D's PinholeCameraIntrinsic, whose matrix is written column by column."""
    matrix = np.reshape(intrinsic["intrinsic_matrix"], (3, 3)).T
    return Camera(matrix.astype(np.float64), (int(intrinsic["height"]), int(intrinsic["width"])))


def find_intrinsic(scene: Path) -> Camera:
    """The camera of a scene whose poses come without one; FileNotFoundError says what to write."""
    path = next((scene / name for name in INTRINSIC_FILES if (scene / name).is_file()), None)
    if path is None:
        raise FileNotFoundError(
            f"{scene} has poses but no intrinsics; write fx fy cx cy in pixels to intrinsic.txt"
        )
    return read_intrinsic(path)
