"""The room of raw_scan.py as an own scan in the layouts of RGB-D data sets: see own_scan.py."""

import json

import numpy as np
import own_scan
from own_scan import (
    CX,
    CY,
    FLIP,
    FX,
    FY,
    SIZE,
    pose,
    write_depth,
    write_image,
    write_mesh,
    write_text,
)

CAMERA = {"fx": FX, "fy": FY, "cx": CX, "cy": CY}


def seven_scenes(scene, count):
    write_mesh(scene)
    write_text(scene / "camera-intrinsics.txt", *own_scan.INTRINSIC)
    for i in range(count):
        write_image(scene / "seq-01", f"frame-{i:06d}.color.png", i)
        write_depth(scene / "seq-01", f"frame-{i:06d}.depth.png", i)
        write_text(scene / f"seq-01/frame-{i:06d}.pose.txt", *pose(i))


def polycam(scene, count):
    write_mesh(scene)
    folder = scene / "keyframes"
    (folder / "cameras").mkdir(parents=True)
    for i in range(count):
        write_image(folder / "images", f"{i}.png", i)
        write_depth(folder / "depth", f"{i}.png", i)
        matrix = pose(i) @ FLIP
        values = {f"t_{row}{column}": matrix[row, column] for row, column in np.ndindex(3, 4)}
        values |= {**CAMERA, "width": SIZE[1], "height": SIZE[0]}
        (folder / f"cameras/{i}.json").write_text(json.dumps(values))


def replica(scene, count):
    write_mesh(scene)
    write_text(scene / "traj.txt", *(pose(i).ravel() for i in range(count)))
    camera = {**CAMERA, "w": SIZE[1], "h": SIZE[0], "scale": 1000}
    (scene / "cam_params.json").write_text(json.dumps({"camera": camera}))
    for i in range(count):
        write_image(scene / "results", f"frame{i:06d}.png", i)
        write_depth(scene / "results", f"depth{i:06d}.png", i)


def arkit(scene, count):
    """As it is downloaded."""
    own_scan.arkit(scene, count)
    folder = scene / f"{scene.name}_frames"
    folder.mkdir()
    for path in list(scene.iterdir()):
        if path.name.startswith("lowres"):
            path.rename(folder / path.name)


WRITERS = {"7scenes": seven_scenes, "polycam": polycam, "replica": replica, "arkit frames": arkit}
