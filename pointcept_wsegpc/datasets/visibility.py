"""Which points of a scene a view sees: the links between points and pixels.

N points, M points that are seen. Meters; pixel centers at integers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..camera import pixels_in_image, visible_pixels
from ..camera.zbuffer import PointRenderer
from ..clouds.normals import estimate_normals
from ..clouds.voxels import voxelize
from ..contracts.views import Views, read_view_image

# By the depth image that was measured, by a z-buffer of the points themselves, or not at all: every
# point that projects into the image.
LINK_VISIBILITY = ("depth", "zbuffer", "none")


def surface_of(points: dict[str, np.ndarray], grid_size: float) -> PointRenderer:
    """What hides points of a scene: its voxels' first points as discs of the voxels' size."""
    _, first, _ = voxelize(points["coord"], grid_size)
    coord = points["coord"][first]
    normal = points["normal"][first] if "normal" in points else estimate_normals(coord)
    return PointRenderer(coord, normal, np.full(len(coord), grid_size))


def seen_points(
    coord: np.ndarray,
    scene: Path,
    views: Views,
    view: int,
    tolerance: float,
    surface: PointRenderer | None = None,
    by_depth: bool = True,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The points (N, 3) that one view of a scene sees, and where: point, row, col, each (M,) int64.

    view: its position in `views`. tolerance: of the depths, in m. surface: see `surface_of`; None:
    depth is read from the view's depth image, or with by_depth=False nothing hides a point.
    """
    camera, size = (views.intrinsic[view], views.world_to_camera[view]), tuple(views.size[view])
    if surface is not None:
        depth = surface.draw(*camera, size)[0]
    elif by_depth:
        depth = read_view_image(scene, views.frame[view], "depth", size)
    else:
        return pixels_in_image(coord, *camera, size)[:3]
    return visible_pixels(coord, *camera, depth, tolerance)
