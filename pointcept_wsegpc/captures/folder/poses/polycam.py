"""Polycam's keyframes: an image, a camera and, from LiDAR, a depth image for every number.

keyframes/images/N.jpg · keyframes/depth/N.png in millimeters · keyframes/cameras/N.json with
fx fy cx cy width height and t_00 … t_23, camera-to-world of an OpenGL camera. Where there are
corrected_images/ and corrected_cameras/, as the app has optimized them, those are read.
"""

from ....files import read_json
from ....files.arrays import reading
from ...numbers import DO, matrix4
from ..layout import DEPTH_SUFFIXES, find, list_files, list_images, pair_up
from .base import POSES, PoseFormat, Shot, Trajectory
from .cameras import camera_of
from .nerfstudio import FROM_OPENGL


@POSES.register("polycam")
class PolycamPoses(PoseFormat):
    files = "keyframes/cameras/*.json (Polycam)"
    signs = ("keyframes/corrected_cameras/*.json", "keyframes/cameras/*.json")

    @classmethod
    def read_trajectory(cls, scene):
        poses = {path: path.stem for path in cls.found(scene)}
        folder = next(iter(poses)).parent
        poses = {path: name for path, name in poses.items() if path.parent == folder}
        pattern = f"keyframes/{folder.name.casefold().replace('cameras', 'images')}/"
        images = {path: path.stem for below in find(scene, pattern) for path in list_images(below)}
        depths = {
            path: path.stem
            for below in find(scene, "keyframes/depth/")
            for path in list_files(below, DEPTH_SUFFIXES)
        }
        found, depth_of = Trajectory(list(images)), pair_up(images, depths)
        pairs = pair_up(images, poses)
        for image, path in pairs.items():
            with reading(path, "t_00 … t_23, fx, fy, cx and cy", DO):
                values = read_json(path)
                pose = [
                    float(values[f"t_{row}{column}"]) for row in range(3) for column in range(4)
                ]
                camera = camera_of(values)
            found.shots[image] = Shot(
                matrix4(pose, path) @ FROM_OPENGL, camera, depth_of.get(image)
            )
        used = set(pairs.values())
        found.unmatched = [path.name for path in poses if path not in used]
        return found
