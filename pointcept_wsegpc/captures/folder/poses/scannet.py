"""ScanNet's text files, as its reader unpacks them: one pose and one image per frame.

color/NAME.jpg · depth/NAME.png · pose/NAME.txt, 4x4 camera-to-world ·
intrinsic/intrinsic_{color,depth}.txt, or intrinsic.txt for both
"""

from ...frames import read_matrix
from .base import (
    POSES,
    PoseFormat,
    Shot,
    Trajectory,
    find_intrinsic,
    images_with_depth,
    plain_form,
    read_intrinsic,
)


@POSES.register("scannet")
class ScanNetPoses(PoseFormat):
    files = "pose/*.txt (ScanNet)"
    signs = ("pose/",)

    @staticmethod
    def read_trajectory(scene):
        images = images_with_depth(scene)
        poses = {plain_form(path.stem): path for path in sorted((scene / "pose").glob("*.txt"))}
        camera, depth_camera = _cameras(scene)
        found = Trajectory(list(images))
        for image, depth in images.items():
            path = poses.pop(plain_form(image.stem), None)
            if path is not None:
                pose = read_matrix(path)
                found.shots[image] = Shot(pose, camera, depth, depth_camera)
        found.unmatched = sorted(path.name for path in poses.values())
        return found


def _cameras(scene):
    """The color camera and the depth camera, which is None where the two are one."""
    color, depth = (scene / f"intrinsic/intrinsic_{kind}.txt" for kind in ("color", "depth"))
    if not color.is_file():
        return find_intrinsic(scene), None
    return read_intrinsic(color), read_intrinsic(depth) if depth.is_file() else None
