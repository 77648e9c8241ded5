"""Which pose convention a scene's folder has, by its files, and its trajectory in that."""

import struct

from . import arkit, colmap, nerfstudio, open3d, scannet, tum
from .base import STREAM_FOLDERS, Trajectory, image_folder, list_images

CONVENTIONS = {
    "scannet": scannet,
    "tum": tum,
    "open3d": open3d,
    "colmap": colmap,
    "arkit": arkit,
    "nerfstudio": nerfstudio,
}
EXPECTED = (
    "pose/*.txt (ScanNet), groundtruth.txt or trajectory.txt (TUM), trajectory.json (Open3D), "
    "sparse/0/ (COLMAP), *.traj (ARKitScenes) or transforms.json (Nerfstudio)"
)


def read_trajectory(scene, convention="auto"):
    """(name of the convention, Trajectory) of a scene's folder.

    A folder without images gives an empty trajectory and the name None. Raises one line where
    images have no poses, where the files of several conventions are there and none was chosen, and
    where a file cannot be read.
    """
    found = [name for name, module in CONVENTIONS.items() if module.is_there(scene)]
    if convention != "auto":
        if convention not in found:
            raise FileNotFoundError(f"{scene} has no {convention} poses; expected {EXPECTED}")
        found = [convention]
    if not found:
        images = list_images(image_folder(scene, STREAM_FOLDERS))
        if images:
            raise FileNotFoundError(f"{scene} has {len(images)} images, no poses: add {EXPECTED}")
        return None, Trajectory([])
    if len(found) > 1:
        raise ValueError(
            f"{scene} has poses of {' and '.join(found)}; choose with --poses {found[0]}"
        )
    try:
        trajectory = CONVENTIONS[found[0]].read(scene)
    except (KeyError, IndexError, TypeError, AttributeError, struct.error, ValueError) as error:
        if isinstance(error, ValueError) and str(scene) in str(error):
            raise  # it names its file
        raise ValueError(
            f"{scene}: its {found[0]} poses cannot be read ({type(error).__name__}: {error}); "
            "write them again"
        ) from error
    return found[0], trajectory
