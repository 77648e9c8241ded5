"""Which intrinsics the images of a scene have, where a layout says it, and where it does not.

H x W pixels; pixel centers at integers.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..frames import read_matrix
from ..scannet.raw import scene_info

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
        return CameraPair(*_of_info(info, "depth"), *_of_info(info, "color"), f"{folder.name}.txt")
    own = folder / "intrinsic" / "intrinsic_depth.txt"
    if own.is_file():
        # At the sizes of the sensor, which this layout does not name: ScanNet's.
        depth, color = read_matrix(own, (3, 3)), own.with_name("intrinsic_color.txt")
        if color.is_file():
            pair = depth, NOMINAL_SIZE, read_matrix(color, (3, 3)), (968, 1296)
        else:
            pair = depth, NOMINAL_SIZE, depth, NOMINAL_SIZE
        return CameraPair(*pair, "intrinsic/")
    shared = folder.parent / "intrinsics.txt"
    if shared.is_file():
        matrix = read_matrix(shared, (3, 3))
        return CameraPair(matrix, depth_size, matrix, depth_size, "intrinsics.txt")
    return CameraPair(NOMINAL, NOMINAL_SIZE, NOMINAL, NOMINAL_SIZE, "nominal")


def _of_info(info, kind):
    """Intrinsic (3, 3) and size (H, W) of the camera `kind` in ScanNet's SCENE.txt."""
    kind = kind if f"fx_{kind}" in info else "depth"
    matrix = np.eye(3)
    matrix[[0, 1], [0, 1]] = float(info[f"fx_{kind}"]), float(info[f"fy_{kind}"])
    matrix[:2, 2] = float(info[f"mx_{kind}"]), float(info[f"my_{kind}"])
    return matrix, (int(info[f"{kind}Height"]), int(info[f"{kind}Width"]))
