"""Writes prepared scenes as S3DIS v1.2 with 2D-3D-Semantics, so that the same room is known twice.

The views become images of their stored size, the points raw `Annotations/*.txt`, or the arrays of
Pointcept's preprocessing with and without its alignment. N points.
"""

import json
from zlib import crc32

import numpy as np
from PIL import Image

from pointcept_wsegpc.captures.s3dis.images import AREA_5B
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.scene import read_points
from pointcept_wsegpc.contracts.views import read_view_image, read_views

S3DIS = ClassTable.shipped("s3dis")
SCANNET20 = ClassTable.shipped("scannet20")

CLASS = {"desk": "table", "bookshelf": "bookcase", "picture": "board"}  # others: the same, clutter
VIEWS_PER_CAMERA = 4


def s3dis_class(label):
    """Name of the class of a ScanNet label, -1 = none."""
    name = SCANNET20.names[label] if label >= 0 else "clutter"
    name = CLASS.get(name, name)
    return name if name in S3DIS.names else "clutter"


def walls_angle(scene):
    """Degrees, whole, by which S3DIS would align the room."""
    align = read_views(scene).axis_alignment
    return round(-np.rad2deg(np.arctan2(align[1, 0], align[0, 0]))) % 360


def object_names(scene):
    """Name of the object, such as chair_3, of every point (N,)."""
    points = read_points(scene, ("segment20", "instance"))
    names = []
    for label, instance in zip(points["segment20"], points["instance"], strict=True):
        names.append(f"{s3dis_class(label)}_{instance + 2}")
    return np.array(names)


def write_points(scene, root, area, room):
    """A raw room, and its line in the area's file of angles. Returns the written points' order."""
    folder = root / area / room / "Annotations"
    folder.mkdir(parents=True)
    points, names, order = read_points(scene), object_names(scene), []
    for name in np.unique(names):
        index = np.flatnonzero(names == name)
        rows = np.column_stack([points["coord"][index], points["color"][index]])
        np.savetxt(folder / f"{name}.txt", rows, fmt=["%.9g"] * 3 + ["%d"] * 3)
        order.append(index)
    with open(root / area / f"{area}_alignmentAngle.txt", "a") as file:
        file.write(f"# of {room}\n{room} {walls_angle(scene)}\n")
    return np.concatenate(order)


def write_preprocessed(scene, root, area, room, aligned=False, normals=True):
    """The arrays that Pointcept's preprocessing would write, of the points in their own order."""
    folder = root / area / room
    folder.mkdir(parents=True)
    points = read_points(scene)
    coord, normal = points["coord"].astype(np.float64), points["normal"].astype(np.float64)
    if aligned:
        angle = (2 - walls_angle(scene) / 180) * np.pi
        cos, sin = np.cos(angle), np.sin(angle)
        rotation = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
        center = (coord.max(0) + coord.min(0)) / 2
        coord, normal = (coord - center) @ rotation.T + center, normal @ rotation.T
    names = object_names(scene)
    classes = [S3DIS.names.index(name.split("_")[0]) for name in names]
    instance = np.unique(names, return_inverse=True)[1]
    np.save(folder / "coord.npy", coord.astype(np.float32))
    np.save(folder / "color.npy", points["color"])
    np.save(folder / "segment.npy", np.array(classes, np.int16)[:, None])
    np.save(folder / "instance.npy", instance.astype(np.int16)[:, None])
    if normals:
        np.save(folder / "normal.npy", normal.astype(np.float32))


def write_images(scene, root, area_folder, room):
    """Images, depth and poses under root/<area_folder>/data, in the frame of that folder."""
    views, data = read_views(scene), root / area_folder / "data"
    for domain in ("rgb", "depth", "pose"):
        (data / domain).mkdir(parents=True, exist_ok=True)
    for i, frame in enumerate(views.frame):
        camera = f"camera_{crc32(room.encode()):08x}{i // VIEWS_PER_CAMERA:024x}"
        stem = f"{camera}_{room}_frame_{i % VIEWS_PER_CAMERA}_domain"
        color = read_view_image(scene, frame, "color")
        Image.fromarray(color).save(data / "rgb" / f"{stem}_rgb.png")
        depth = np.rint(read_view_image(scene, frame, "depth") * 512)
        depth = np.where(depth > 0, depth, 65535).astype(np.uint16)
        Image.fromarray(depth).save(data / "depth" / f"{stem}_depth.png")
        camera_to_world = np.linalg.inv(views.world_to_camera[i])
        if area_folder.endswith("b"):
            camera_to_world = np.linalg.inv(AREA_5B) @ camera_to_world
        pose = {
            "camera_k_matrix": views.intrinsic[i].tolist(),
            "camera_rt_matrix": np.linalg.inv(camera_to_world)[:3].tolist(),
            "final_camera_rotation": [0.1, 0.2, 0.3],  # Euler angles: nobody should use them
            "room": room,
        }
        (data / "pose" / f"{stem}_pose.json").write_text(json.dumps(pose))


# Where the rooms of a prepared data set are written to: (area, room, folder of the images).
PLACES = (
    ("Area_1", "office_1", "area_1"),
    ("Area_2", "office_1", "area_2"),
    ("Area_6", "conferenceRoom_1", "area_6"),
    ("Area_5", "office_1", "area_5a"),
    ("Area_5", "office_2", "area_5b"),
)
WITHOUT_IMAGES = ("Area_1", "WC_1")


def write_release(scenes, root):
    """Five scenes as raw points, preprocessed ones, an aligned copy of these, and images.

    The first is there once more, without images. Returns {"Area_1-office_1": (scene, order)}.
    """
    written = {}
    places = [*PLACES, (*WITHOUT_IMAGES, None)]
    for scene, (area, room, folder) in zip([*scenes, scenes[0]], places, strict=True):
        order = write_points(scene, root / "raw", area, room)
        write_preprocessed(scene, root / "preprocessed", area, room)
        write_preprocessed(scene, root / "aligned", area, room, aligned=True)
        if folder:
            write_images(scene, root / "images", folder, room)
        written[f"{area}-{room}"] = scene, order
    return written
