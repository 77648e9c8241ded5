"""Which points of a scene a view sees: the links between points and pixels.

N points, M points that are seen, S points of the surface, H x W pixels. Metres; pixel centres at
integers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..camera import pixels_in_image, visible_pixels
from ..camera.zbuffer import PointDepth
from ..clouds.voxels import voxelize
from ..contracts.views import Views, read_view_image

# By the depth image that was measured, by a z-buffer of the points themselves, or not at all: every
# point that projects into the image.
LINK_VISIBILITY = ("depth", "zbuffer", "none")


def surface_of(points: dict[str, np.ndarray], grid_size: float) -> dict[str, np.ndarray]:
    """What hides points of a scene: its voxels' first points as discs of the voxels' size."""
    _, first, _ = voxelize(points["coord"], grid_size)
    surface = {key: points[key][first] for key in ("coord", "normal") if key in points}
    return {**surface, "radius": np.full(len(first), grid_size)}


def seen_points(
    coord: np.ndarray,
    scene: Path,
    views: Views,
    view: int,
    tolerance: float,
    surface: dict[str, np.ndarray] | None = None,
    by_depth: bool = True,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The points (N, 3) that one view of a scene sees, and where: point, row, col, each (M,) int64.

    view: its position in `views`. tolerance: of the depths, in m. surface: see `surface_of`; None:
    depth is read from the view's depth image, or with by_depth=False nothing hides a point.
    """
    camera, size = (views.intrinsic[view], views.world_to_camera[view]), tuple(views.size[view])
    if surface is not None:
        depth = rendered_depth(surface, *camera, size)
    elif by_depth:
        depth = read_view_image(scene, views.frame[view], "depth", size)
    else:
        return pixels_in_image(coord, *camera, size)[:3]
    return visible_pixels(coord, *camera, depth, tolerance)


def rendered_depth(
    surface: dict[str, np.ndarray],
    intrinsic: np.ndarray,
    world_to_camera: np.ndarray,
    size: tuple[int, int],
) -> np.ndarray:
    """Depth (H, W) m of the surface's discs, 0 where there is none. Without normals they face the
    camera.
    """
    normal = surface.get("normal")
    if normal is None:
        ray = surface["coord"] - np.linalg.inv(world_to_camera)[:3, 3]
        normal = ray / np.linalg.norm(ray, axis=1, keepdims=True).clip(1e-9)
    renderer = PointDepth(surface["coord"], normal, surface["radius"])
    return renderer.render(intrinsic, world_to_camera, size)
