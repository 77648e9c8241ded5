"""Pose conventions: the registry, and what each is read into: images, cameras and their poses.

Your own convention is a class with `files`, `signs` and `read_trajectory`:

    @POSES.register("mine")
    class MyPoses(PoseFormat): ...

Pixel centers are at integer coordinates; a camera looks along +z, x right, y down.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ....files.arrays import refusing
from ....registry import Registry
from ...numbers import DO
from ..layout import find, list_photos, printable, what_lies
from .cameras import Camera

POSES = Registry("pose format")
FEW = " (to go on with the cloud alone, give --allow-few-images)"


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

    files: what it looks like, for messages. signs: patterns of files, any of which tells it, in
    any letter case.
    """

    files: str
    signs: tuple[str, ...] = ()

    @classmethod
    def is_there(cls, scene: Path) -> bool:
        """Whether the folder has poses of this convention."""
        return bool(cls.found(scene))

    @classmethod
    def found(cls, scene: Path) -> list[Path]:
        """What the signs match."""
        return [path for pattern in cls.signs for path in find(scene, pattern)]

    @staticmethod
    def read_trajectory(scene: Path) -> Trajectory:
        """The images of the folder with their poses; ValueError names a malformed file."""
        raise NotImplementedError


def read_trajectory(
    scene: Path, name: str = "auto", need_images: bool = True
) -> tuple[str | None, Trajectory]:
    """(name of the pose format, Trajectory) of a scene's folder.

    A folder without images gives an empty trajectory and the name None. Raises one line where
    images have no poses, or poses no images, unless they are not needed; where the files of
    several formats are there and none was chosen; and where a file cannot be read.
    """
    formats = {known: POSES.get(known) for known in POSES.names()}
    found = [known for known, poses in formats.items() if poses.is_there(scene)]
    expected = " or ".join(poses.files for poses in formats.values())
    if name != "auto":
        if name not in found:
            raise FileNotFoundError(f"{scene} has no {name} poses; expected {expected}")
        found = [name]
    if not found:
        if need_images and (images := list_photos(scene)):
            raise FileNotFoundError(
                f"{scene} has {len(images)} images, no poses: add {expected}; found "
                f"{what_lies(scene)}{FEW}"
            )
        return None, Trajectory([])
    if len(found) > 1:
        raise ValueError(
            f"{scene} has poses of {' and '.join(found)}; choose with --pose-format {found[0]}"
        )
    with refusing(scene, f"the poses of {formats[found[0]].files}", DO):
        trajectory = formats[found[0]].read_trajectory(scene)
    if need_images and not trajectory.shots:
        raise FileNotFoundError(_alone(scene, found[0], trajectory))
    return found[0], trajectory


def _alone(scene, name, trajectory):
    """That poses belong to no image, with one name of both."""
    poses = [f"{len(trajectory.unmatched)} {name} poses"]
    poses += [f"such as {printable(one)}" for one in trajectory.unmatched[:1]]
    images = "no images in the folders where they belong (color/, images/, …)"
    if trajectory.images:
        first = printable(trajectory.images[0].relative_to(scene))
        images = f"{len(trajectory.images)} images, such as {first}"
    return (
        f"{scene} has {' '.join(poses)}, and {images}; expected an image for each pose; found "
        f"{what_lies(scene)}{FEW}"
    )


def rigid(rotation: Any, translation: np.ndarray) -> np.ndarray:
    """Matrices (..., 4, 4) of a SciPy Rotation and translations (..., 3)."""
    matrix = np.zeros((*np.shape(translation)[:-1], 4, 4))
    matrix[..., :3, :3], matrix[..., :3, 3] = rotation.as_matrix(), translation
    matrix[..., 3, 3] = 1
    return matrix
