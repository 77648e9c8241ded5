"""How users' scans are prepared: options of all scans, and those of one, in its scene.json."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from ...files import read_json
from ..base import ViewSettings, setting
from .poses import POSES
from .world import UP

SCENE_FILE = "scene.json"  # in a scan's folder: {setting: value}, in place of the options
FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
# What undoes a mistake in camera-to-world matrices (4, 4); checks/explanations.py names them.
MENDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": lambda pose: pose,
    "invert": lambda pose: _inverse(pose),
    "opengl": lambda pose: pose @ FROM_OPENGL,
    "invert-opengl": lambda pose: _inverse(pose) @ FROM_OPENGL,
}
AXES = re.compile(r"(-?[xyz]),(-?[xyz]),(-?[xyz])")


@dataclass(frozen=True)
class FolderSettings(ViewSettings):
    """Settings that determine a prepared scene; other values mean preparing it again."""

    spacing: float = setting(
        0.02,
        "meters between prepared points, 0: keep all; labels return to all points",
        minimum=0,
        metavar="M",
    )
    scale: float = setting(1.0, "meters in a unit of cloud and poses, 0.001: mm", above=0)
    up: str = setting("z", "the axis of the cloud that points up", choices=tuple(sorted(UP)))
    depth_scale: float = setting(
        0.0,
        "values of depth images in a meter; 0: as the pose format has it, most 1000, TUM 5000; "
        "floats are meters",
        minimum=0,
        metavar="N",
    )
    fuse_voxel: float = setting(
        0.01, "meters between points that are fused from depth where a scan has no cloud", above=0
    )
    pose_format: str = setting(
        "auto", "convention of the poses", choices=lambda: ("auto", *POSES.names())
    )
    mend_poses: str = setting(
        "none",
        "undo a mistake in the poses: they are world-to-camera (invert), or of cameras that look "
        "along -z (opengl); `wsegpc check` finds out",
        choices=tuple(MENDS),
    )
    point_axes: str = setting(
        "x,y,z",
        "what the points' axes are in the frame of the poses, such as x,-z,y; `wsegpc check` "
        "finds out",
        metavar="A,B,C",
    )

    def __post_init__(self):
        super().__post_init__()
        axes = AXES.fullmatch(self.point_axes)
        if not axes or len({axis[-1] for axis in axes.groups()}) < 3:
            raise ValueError(f"--point-axes {self.point_axes}: expected three axes, as x,-z,y")

    @property
    def axes(self) -> np.ndarray:
        """(3, 3): points of the cloud in the frame of the poses."""
        rows = [(axis[-1] == np.array(list("xyz"))) for axis in self.point_axes.split(",")]
        signs = [-1.0 if axis[0] == "-" else 1.0 for axis in self.point_axes.split(",")]
        return np.array(rows, float) * np.array(signs)[:, None]

    def mended(self, camera_to_world: np.ndarray) -> np.ndarray:
        """The pose (4, 4) of a camera without the mistake in it."""
        return MENDS[self.mend_poses](np.asarray(camera_to_world, np.float64))


def own_settings(folder: Path, settings: FolderSettings) -> FolderSettings:
    """The settings of one scan: those given, but for what its scene.json says.

    Raises one line for a file that is damaged, and for a setting that there is not.
    """
    path = folder / SCENE_FILE
    if not path.is_file():
        return settings
    given = read_json(path)
    known = {f.name: f.default for f in fields(settings) if f.name not in ("height", "width")}
    if not isinstance(given, dict):
        raise ValueError(f"{path}: expected {{setting: value}} with {', '.join(known)}")
    for key, value in given.items():
        if key not in known:
            raise ValueError(f"{path}: unknown setting {key!r}; expected {', '.join(known)}")
        kind = type(known[key])
        number = kind in (int, float) and isinstance(value, (int, kind))
        if isinstance(value, bool) != (kind is bool) or not (number or isinstance(value, kind)):
            raise ValueError(f"{path}: {key} is {value!r}; expected one like {known[key]!r}")
    try:
        return replace(settings, **given)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _inverse(pose):
    try:
        return np.linalg.inv(pose)
    except np.linalg.LinAlgError:  # of a lost frame
        return np.full((4, 4), np.nan)
