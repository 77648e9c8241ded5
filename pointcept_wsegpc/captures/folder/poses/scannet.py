"""ScanNet's text files, as its reader unpacks them: one pose and one image per frame.

color/NAME.jpg · depth/NAME.png · pose/NAME.txt, 4x4 camera-to-world ·
intrinsic/intrinsic_{color,depth}.txt, or intrinsic.txt for both
"""

from .base import (
    Shot,
    Trajectory,
    depth_of,
    find_intrinsic,
    image_folder,
    list_images,
    matrix4,
    plain_form,
    read_intrinsic,
    read_numbers,
)


def is_there(scene):
    return (scene / "pose").is_dir()


def read(scene):
    below, depths = image_folder(scene), image_folder(scene, ("depth",))
    images = list_images(below)
    poses = {plain_form(path.stem): path for path in sorted((scene / "pose").glob("*.txt"))}
    camera, depth_camera = _cameras(scene)
    found = Trajectory(images)
    for image in images:
        path = poses.pop(plain_form(image.stem), None)
        if path is not None:
            pose = matrix4(read_numbers(path), path)
            found.shots[image] = Shot(pose, camera, depth_of(image, below, depths), depth_camera)
    found.unmatched = sorted(path.name for path in poses.values())
    return found


def _cameras(scene):
    """The colour camera and the depth camera, which is None where the two are one."""
    color, depth = (scene / f"intrinsic/intrinsic_{kind}.txt" for kind in ("color", "depth"))
    if not color.is_file():
        return find_intrinsic(scene), None
    return read_intrinsic(color), read_intrinsic(depth) if depth.is_file() else None
