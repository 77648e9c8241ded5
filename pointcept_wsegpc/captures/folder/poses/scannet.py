"""ScanNet's text files, as its reader unpacks them, and 7-Scenes': one pose and image a frame.

color/NAME.jpg · depth/NAME.png · pose/NAME.txt, 4x4 camera-to-world ·
intrinsic/intrinsic_{color,depth}.txt, or intrinsic.txt for both

7-Scenes, in the scene's folder or in seq-NN/: NAME.color.png · NAME.depth.png · NAME.pose.txt
"""

from ...numbers import read_matrix
from ..layout import find, images_with_depth, list_files, natural_key, pair_up
from .base import POSES, PoseFormat, Shot, Trajectory
from .cameras import find_intrinsic, read_intrinsic

HINT = " (of 7-Scenes' own 640x480 images: 585 585 320 240)"


@POSES.register("scannet")
class ScanNetPoses(PoseFormat):
    files = "pose/*.txt (ScanNet)"
    signs = ("pose/", "poses/")

    @classmethod
    def read_trajectory(cls, scene):
        images, poses = images_with_depth(scene), list_files(cls.found(scene)[0], (".txt",))
        names, of_poses = ({path: path.stem for path in paths} for paths in (images, poses))
        return posed(images, names, of_poses, *_cameras(scene))


@POSES.register("7scenes")
class SevenScenesPoses(PoseFormat):
    files = "*.pose.txt (7-Scenes)"
    signs = ("*.pose.txt", "seq*/*.pose.txt")

    @classmethod
    def read_trajectory(cls, scene):
        poses, camera = _named(cls.found(scene)), find_intrinsic(scene, HINT)
        folders = sorted({path.parent for path in poses}, key=natural_key)
        images, depths = (
            _named(path for folder in folders for path in find(folder, f"*.{kind}.*"))
            for kind in ("color", "depth")
        )
        return posed(dict.fromkeys(images) | pair_up(images, depths), images, poses, camera)


def _named(paths):
    """{path: its folder and its name up to the first point}."""
    return {path: f"{path.parent.name}/{path.name.split('.')[0]}" for path in paths}


def posed(images, names, poses, camera, depth_camera=None):
    """The Trajectory of {image: depth} and a file for each pose; {path: name} of both."""
    found, pairs = Trajectory(list(images)), pair_up(names, poses)
    used = set(pairs.values())
    for image, path in pairs.items():
        found.shots[image] = Shot(read_matrix(path), camera, images[image], depth_camera)
    found.unmatched = [path.name for path in poses if path not in used]
    return found


def _cameras(scene):
    """The color camera and the depth camera, which is None where the two are one."""
    color, depth = (find(scene, f"intrinsic/intrinsic_{kind}.txt") for kind in ("color", "depth"))
    if not color:
        return find_intrinsic(scene), None
    return read_intrinsic(color[0]), read_intrinsic(depth[0]) if depth else None
