"""A cloud of posed depth images, for a capture that comes without one.

Every measured pixel is a point with a normal; points are averaged in cubic voxels. P pixels, N
points, H x W pixels of a view. Meters.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ...camera import back_project
from ...clouds.formats import CLOUD_FORMATS, PointCloud
from ...clouds.voxels import voxelize
from ..base import some
from ..frames import View
from .frames import folder_frames
from .layout import list_files
from .poses.base import Trajectory

UNREAD_CLOUDS = (".obj", ".glb", ".gltf", ".e57", ".stl", ".off", ".xyz", ".pts", ".usdz", ".fbx")

MAX_JUMP = 0.1  # of its depth, by which a pixel's neighbors on one surface may differ from it
MAX_WIDTH = 320  # px of a depth image that are read; of a wider one every second, third …
MAX_WAITING = 4_000_000  # points that wait for being averaged
MAX_FAR = 1e7  # m from the origin; a pose that leads there is none


def fused_cloud(
    scene: Path, trajectory: Trajectory, settings: Any, missing: FileNotFoundError
) -> tuple[PointCloud, dict]:
    """The cloud of a scan's depth images, in the unit and frame of its poses, and facts about it.

    missing: what is said where none can be fused, and where a cloud lies there that is not read.
    """
    endings = (*UNREAD_CLOUDS, *CLOUD_FORMATS.names())
    if unread := [path.name for path in list_files(scene, endings) if path.parent == scene]:
        raise FileNotFoundError(f"{missing}; {some(unread)} cannot be read: export a .ply")
    if not any(shot.depth for shot in trajectory.shots.values()):
        raise FileNotFoundError(f"{missing}, or depth images with poses, of which one is fused")

    def in_meters(pose):
        scaled = np.array(pose, dtype=np.float64)
        scaled[:3, 3] *= settings.scale
        return scaled

    frames = folder_frames(trajectory, in_meters, settings)
    try:
        cloud, num_views = fuse(frames, settings.fuse_voxel)
    except ValueError as error:
        raise ValueError(f"{missing}, and none can be fused: {error} ({frames.log})") from error
    cloud.coord /= settings.scale
    return cloud, {"views": num_views, "voxel": settings.fuse_voxel}


def fuse(views: Iterable[View], voxel: float) -> tuple[PointCloud, int]:
    """The cloud of views with color and depth, normals towards the cameras; how many views.

    voxel: its edge in m. ValueError where no pixel lies on a surface.
    """
    waiting, num_views = [np.empty((0, 10))], 0
    for view in views:
        waiting.append(_averaged(_surface(view), voxel))
        num_views += 1
        if sum(map(len, waiting)) > MAX_WAITING:
            waiting = [_averaged(np.concatenate(waiting), voxel)]
    sums = _averaged(np.concatenate(waiting), voxel)
    if not len(sums):
        raise ValueError(f"no surface in {num_views} depth images")
    coord, normal, color = np.split(sums[:, :9] / sums[:, 9:], 3, axis=1)
    return PointCloud(coord, np.rint(color).astype(np.uint8), normal.astype(np.float32)), num_views


def _surface(view):
    """(P, 10) of the pixels on surfaces: place, normal, color, and 1, all in the world."""
    step = -(-view.depth.shape[1] // MAX_WIDTH)
    intrinsic = view.intrinsic.copy()
    intrinsic[:2] /= step
    depth, color = view.depth[::step, ::step], view.color[::step, ::step]
    coord = back_project(depth, intrinsic)
    normal = _normals(coord, depth)
    good = normal.any(axis=2)
    pose = np.linalg.inv(view.world_to_camera)
    place = coord[good] @ pose[:3, :3].T + pose[:3, 3]
    rows = np.concatenate(
        [place, normal[good] @ pose[:3, :3].T, color[good], np.ones((len(place), 1))], axis=1
    )
    return rows[(np.abs(place) < MAX_FAR).all(axis=1)]


def _normals(coord, depth):
    """Unit normals (H, W, 3) towards the camera at the origin; zero where a pixel has no surface.

    By central differences; at an edge, and at the border of the image, there is none.
    """
    normal = np.zeros(coord.shape)
    if min(depth.shape) < 3:
        return normal
    right, down = coord[1:-1, 2:] - coord[1:-1, :-2], coord[2:, 1:-1] - coord[:-2, 1:-1]
    cross = np.cross(right, down)
    inner, own = coord[1:-1, 1:-1], depth[1:-1, 1:-1]
    around = np.stack([depth[1:-1, 2:], depth[1:-1, :-2], depth[2:, 1:-1], depth[:-2, 1:-1], own])
    known = (around > 0).all(axis=0) & (np.abs(around - own).max(axis=0) <= MAX_JUMP * own)
    length = np.linalg.norm(cross, axis=2)
    known &= length > 0
    away = np.where(np.einsum("hwc,hwc->hw", cross, inner) > 0, -1.0, 1.0)
    scaled = cross * (away / np.where(known, length, 1))[..., None]
    normal[1:-1, 1:-1] = np.where(known[..., None], scaled, 0)
    return normal


def _averaged(rows, voxel):
    """Sums (V, 10) of rows (P, 10), one for every voxel; the last column counts pixels."""
    _, _, inverse = voxelize(rows[:, :3] / rows[:, 9:], voxel)
    return np.stack([np.bincount(inverse, column) for column in rows.T], axis=1)
