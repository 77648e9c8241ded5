"""Raw ScanNet captures written as other people's prepared data, for tests of the conversion."""

import shutil

import numpy as np
import torch
from PIL import Image
from scipy.spatial import cKDTree

from pointcept_wsegpc import camera
from pointcept_wsegpc.camera.resample import nearest_index, resample_to
from pointcept_wsegpc.captures.scannet.raw import NYU40_IDS
from pointcept_wsegpc.captures.scannet.scene import points_from_mesh
from pointcept_wsegpc.captures.scannet.sens import SensReader

NYU40 = np.array([*NYU40_IDS, 0])  # of a class; the last, of none
CONCERTO_RADIUS = 0.12  # m; Concerto takes 0.01, on clouds a hundred times as dense


def superpoints(coord):
    """Region ids (N,) of half-meter cells; every tenth point has none."""
    cell = np.floor(coord / 0.5).astype(int)
    ids = 7 + np.unique(cell, axis=0, return_inverse=True)[1].reshape(-1)
    ids[::10] = -1
    return ids


def image_superpoints(depth):
    """Region ids (h, w): columns of eight pixels, none without depth."""
    return np.where(depth > 0, np.arange(depth.shape[1]) // 8, -1)


def write_wsegpc(captures, root):
    """The official folders of WSegPC: dictionaries, images, superpoints."""
    for capture in captures:
        points = points_from_mesh(capture)
        label = points["segment20"]
        stored = {
            "coord": points["coord"],
            "color": points["color"],
            "normal": points["normal"],
            "scene_id": capture.name,
            "semantic_gt20": np.where(label < 0, 255, label).astype(np.int16)[:, None],
            "instance_gt": points["instance"],
        }
        path = root / "scannet_3d" / capture.split / f"{capture.name}.pth"
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(stored, path)
        regions = root / "scannet_3d" / "initial_superpoints_wypr"
        regions.mkdir(exist_ok=True)
        np.savez(regions / f"{capture.name}_superpoint.npz", a=superpoints(points["coord"]))
        folder = root / "scannet_2d" / capture.name
        write_images(capture, folder, regions=True)
        shutil.copy(capture.folder / f"{capture.name}.txt", folder)


def write_openscene(captures, root):
    """scannet_3d with tuples and scannet_2d with one intrinsics.txt, images at the depth's size."""
    for capture in captures:
        points = points_from_mesh(capture)
        label = points["segment20"]
        stored = (
            points["coord"].astype(np.float64),
            points["color"] / 127.5 - 1,
            np.where(label < 0, 255, label).astype(np.float64),
        )
        path = root / "scannet_3d" / capture.split / f"{capture.name}_vh_clean_2.pth"
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(stored, path)
        write_images(capture, root / "scannet_2d" / capture.name)
    with SensReader(captures[0].sens) as reader:  # one for all scenes
        np.savetxt(root / "scannet_2d" / "intrinsics.txt", reader.intrinsic_depth)


def write_images(capture, folder, regions=False):
    """color/N.jpg, depth/N.png, pose/N.txt, label/N.png of every second frame."""
    for kind in ("color", "depth", "pose", "label", *["label_sp_sparse"] * regions):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    with SensReader(capture.sens) as reader:
        for frame in reader.frames(stride=2):
            depth, name = frame.depth(), str(frame.index)
            color = Image.fromarray(frame.color())
            color.save(folder / "color" / f"{name}.jpg", quality=98, subsampling=0)
            Image.fromarray(depth).save(folder / "depth" / f"{name}.png")
            np.savetxt(folder / "pose" / f"{name}.txt", frame.camera_to_world)
            # A label that can be told in a test: the class of the frame's number, everywhere.
            label = np.full(color.size[::-1], NYU40[frame.index % 20], np.uint8)
            Image.fromarray(label).save(folder / "label" / f"{name}.png")
            if regions:
                ids = image_superpoints(depth).reshape(-1)
                np.savez(folder / "label_sp_sparse" / f"{name}.npz", a=ids)


def write_concerto(captures, root):
    """Pointcept's arrays and its images/ with tables of points and pixels of the color camera."""
    for capture in captures:
        points = points_from_mesh(capture)
        scene = root / capture.split / capture.name
        scene.mkdir(parents=True)
        for key, array in points.items():
            np.save(scene / f"{key}.npy", array)
        folder = root / "images" / capture.split / capture.name
        for kind in ("color", "pose", "intrinsic", "correspondence"):
            (folder / kind).mkdir(parents=True)
        tree = cKDTree(points["coord"])
        with SensReader(capture.sens) as reader:
            np.save(folder / "intrinsic" / "intrinsic.npy", reader.intrinsic_color)
            for frame in reader.frames(stride=2):
                Image.fromarray(frame.color()).save(folder / "color" / f"{frame.index}.png")
                np.save(folder / "pose" / f"{frame.index}.npy", frame.camera_to_world)
                pairs = correspondence(reader, frame, tree)
                np.save(folder / "correspondence" / f"{frame.index}.npy", pairs)


def correspondence(reader, frame, tree):
    """(M, 3) of column, row, point: the nearest point of what each pixel of the color sees."""
    size, intrinsic = (reader.color_height, reader.color_width), reader.intrinsic_color[:3, :3]
    depth = frame.depth().astype(np.float32) / reader.depth_shift
    depth = resample_to(depth, reader.intrinsic_depth[:3, :3], intrinsic, size)
    if not np.isfinite(frame.camera_to_world).all() or not depth.any():
        return -np.ones((1, 3))
    seen = camera.back_project(depth, intrinsic, frame.camera_to_world)[depth > 0]
    row, column = np.nonzero(depth)
    distance, point = tree.query(seen)
    near = distance < CONCERTO_RADIUS
    return np.stack([column, row, point], axis=1)[near].astype(np.float64)


def resized(image, size):
    """Nearest pixels (H, W) of an image, as prepared scenes have them."""
    return image[np.ix_(*map(nearest_index, image.shape, size))]
