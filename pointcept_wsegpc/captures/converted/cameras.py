"""Intrinsics of a scene's images, from whatever the layout has, else nominal ones.

H x W pixels; pixel centers at integers.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...files.arrays import reading
from ..numbers import read_matrix
from ..scannet.raw import info_file, scene_info

# The depth camera that BPNet, OpenScene and WSegPC take all ScanNet scenes to have, (H, W).
NOMINAL_SIZE = (480, 640)
NOMINAL = np.array([[577.870605, 0, 319.5], [0, 577.870605, 239.5], [0, 0, 1]])


@dataclass(frozen=True)
class CameraPair:
    """Intrinsics (3, 3) of a scene's depth and color images, at the sizes (H, W) given here."""

    depth: np.ndarray
    depth_size: tuple
    color: np.ndarray
    color_size: tuple
    source: str


def find_cameras(folder, depth_size):
    """CameraPair of a scene folder of images; `depth_size` is what its depth images have.

    From SCENE.txt as ScanNet has it (per scene), intrinsic/intrinsic_{depth,color}.txt,
    ../intrinsics.txt (OpenScene; for images as stored), else nominal.
    """
    folder = Path(folder)
    info = scene_info(folder)
    if "fx_depth" in info:
        with reading(info_file(folder), "focal lengths, centers and sizes as ScanNet has them"):
            pair = *_of_info(info, "depth"), *_of_info(info, "color")
        return CameraPair(*pair, f"{folder.name}.txt")
    own, shared = folder / "intrinsic" / "intrinsic_depth.txt", folder.parent / "intrinsics.txt"
    depth, source = (NOMINAL, NOMINAL_SIZE), "nominal"
    if own.is_file():
        # At the sizes of the sensor, which this layout does not name: ScanNet's.
        depth, source = (read_matrix(own, (3, 3)), NOMINAL_SIZE), "intrinsic/"
        if (color := own.with_name("intrinsic_color.txt")).is_file():
            return CameraPair(*depth, read_matrix(color, (3, 3)), (968, 1296), source)
    elif shared.is_file():
        depth, source = (read_matrix(shared, (3, 3)), depth_size), "intrinsics.txt"
    return CameraPair(*depth, *depth, source)


def _of_info(info, kind):
    """Intrinsic (3, 3) and size (H, W) of the camera `kind` in ScanNet's SCENE.txt."""
    kind = kind if f"fx_{kind}" in info else "depth"
    matrix = np.eye(3)
    matrix[[0, 1], [0, 1]] = float(info[f"fx_{kind}"]), float(info[f"fy_{kind}"])
    matrix[:2, 2] = float(info[f"mx_{kind}"]), float(info[f"my_{kind}"])
    if not (np.isfinite(matrix).all() and (np.diag(matrix) > 0).all()):
        raise ValueError(f"the focal lengths of {kind} are {matrix[0, 0]} and {matrix[1, 1]}")
    return matrix, (int(info[f"{kind}Height"]), int(info[f"{kind}Width"]))
