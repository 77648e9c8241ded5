"""An example folder of scans to copy and fill in: one tiny room, and a README of the layout.

N points, H x W pixels.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from ...camera.zbuffer import PointRenderer
from ...clouds.ply import write_ply
from ...files import atomic_path

README = """\
A folder per scene
==================

my_scans/
  tags.csv           which classes each scene has (or tags.json: {"scene": ["chair", "table"]})
  classes.txt        the class names in order; without it, all that tags.csv names
  val.txt, test.txt  names of scenes that are not for training; optional
  kitchen/           one folder per scene; its name is the scene's name
    points.ply       one cloud or mesh: .ply .pcd .npy .las .laz, in meters, z up
    color/           the images
    depth/           depth images of the same names, 16 bits, millimeters; optional: without them,
                     depth is rendered from the cloud
    pose/            camera-to-world, 4x4 numbers for each image
    intrinsic.txt    fx fy cx cy in pixels of the images [k1 k2 p1 p2 k3]
    axis_alignment.txt  optional: 4x4, to a frame whose x and y run along the walls
    scene.json       optional: settings of this scene alone, {"up": "-y", "scale": 0.001}

Poses may come in another convention instead of pose/ and intrinsic.txt:

  TUM          groundtruth.txt or trajectory.txt, intrinsic.txt; rgb/ and depth/ by timestamps
  Open3D       trajectory.json, its cameras in the order of the images
  COLMAP       sparse/0/cameras and images, .txt or .bin; images/
  ARKitScenes  SCENE.traj, lowres_wide/, lowres_wide_intrinsics/, lowres_depth/
  Nerfstudio   transforms.json (instant-ngp's, too)
  7-Scenes     *.color.png, *.depth.png, *.pose.txt, intrinsic.txt
  Replica      traj.txt, results/, cam_params.json or intrinsic.txt
  Polycam      keyframes/

Cloud and poses must share one frame and one unit. Without a cloud, one is fused
from depth images. Delete kitchen/ when your scenes are in, then:

  wsegpc check my_scans
  wsegpc prepare scans --raw my_scans --out data/scans
"""
TAGS = "scene,tags\nkitchen,floor;wall;box\n"
CLASSES = "floor\nwall\nbox\n"
SIZE, STEP = (48, 64), 0.04
VIEWS = 4


def write_template(folder):
    """Write the example into a folder that is empty or not there; returns its README's path."""
    folder = Path(folder).expanduser().resolve()
    if folder.is_dir() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; name a new folder")
    scene = folder / "kitchen"
    coord, normal, color = example_room()
    write_ply(scene / "points.ply", coord, color)
    intrinsic = np.array([[56.0, 0, 31.5], [0, 56.0, 23.5], [0, 0, 1]])
    renderer = PointRenderer(coord, normal, np.full(len(coord), 1.2 * STEP))
    for number in range(VIEWS):
        pose = example_pose(number)
        depth, shown = renderer.draw(intrinsic, np.linalg.inv(pose), SIZE)
        image = np.where(shown[..., None] >= 0, color[shown], 0).astype(np.uint8)
        millimeters = np.rint(1000 * depth).astype(np.uint16)
        for kind, pixels in (("color", image), ("depth", millimeters)):
            with atomic_path(scene / kind / f"{number}.png") as temporary:
                Image.fromarray(pixels).save(temporary)
        with atomic_path(scene / "pose" / f"{number}.txt") as temporary:
            np.savetxt(temporary, pose, fmt="%.9g")
    for path, text in (
        (scene / "intrinsic.txt", "56 56 31.5 23.5\n"),
        (folder / "tags.csv", TAGS),
        (folder / "classes.txt", CLASSES),
        (folder / "README.txt", README),
    ):
        with atomic_path(path) as temporary:
            Path(temporary).write_text(text, encoding="utf-8")
    return folder / "README.txt"


def example_room():
    """Points (N, 3) m, normals (N, 3), colors (N, 3) uint8: a floor, two walls and a box."""
    parts = []
    for origin, u, v, paint in (
        ((0, 0, 0), (3, 0, 0), (0, 3, 0), (150, 110, 70)),
        ((0, 3, 0), (3, 0, 0), (0, 0, 2), (200, 200, 190)),
        ((3, 0, 0), (0, 3, 0), (0, 0, 2), (180, 190, 200)),
        ((1, 1.6, 0), (1, 0, 0), (0, 0, 0.7), (60, 90, 160)),
        ((1, 1.6, 0), (0, 0.8, 0), (0, 0, 0.7), (60, 90, 160)),
        ((2, 1.6, 0), (0, 0.8, 0), (0, 0, 0.7), (60, 90, 160)),
        ((1, 1.6, 0.7), (1, 0, 0), (0, 0.8, 0), (80, 120, 200)),
    ):
        origin, u, v = (np.array(value, dtype=np.float64) for value in (origin, u, v))
        steps = [np.arange(0.5, round(np.linalg.norm(side) / STEP)) * STEP for side in (u, v)]
        a, b = (step.ravel() for step in np.meshgrid(*steps))
        along = [side / np.linalg.norm(side) for side in (u, v)]
        coord = origin + a[:, None] * along[0] + b[:, None] * along[1]
        normal = np.broadcast_to(np.cross(*along), coord.shape)
        parts.append((coord, normal, np.broadcast_to(np.uint8(paint), coord.shape)))
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def example_pose(number):
    """Camera-to-world (4, 4) at a corner of the room, looking at the box."""
    place = np.array([0.2 + 0.35 * number, 0.15, 1.4])
    forward = np.array([1.6, 2.0, 0.4]) - place
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3] = np.stack([right, np.cross(forward, right), forward, place], axis=1)
    return pose
