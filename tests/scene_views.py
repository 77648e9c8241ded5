"""What the views of a prepared scene show, for tests that compare two ways to one scene."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pointcept_wsegpc import camera
from pointcept_wsegpc.contracts.scene import read_points
from pointcept_wsegpc.contracts.views import read_view_image, read_views


def cameras_of(scene: Path) -> Iterator[tuple]:
    """(frame, intrinsic (3, 3), world_to_camera (4, 4), depth (H, W) m) of every view."""
    views = read_views(scene)
    arrays = views.frame.tolist(), views.intrinsic, views.world_to_camera, views.size
    for frame, intrinsic, pose, size in zip(*arrays, strict=True):
        yield frame, intrinsic, pose, read_view_image(scene, frame, "depth", size)


def links(scene: Path, tolerance: float) -> dict[tuple[int, int], tuple[int, int]]:
    """{(place of the view, point): (row, column)} of all links of a scene."""
    coord, found = read_points(scene, ("coord",))["coord"], {}
    for v, (_, *view) in enumerate(cameras_of(scene)):
        for point, row, col in zip(*camera.visible_pixels(coord, *view, tolerance), strict=True):
            found[v, int(point)] = int(row), int(col)
    return found


def color_difference(scene: Path, frame: int, other: Path, other_frame: int) -> np.ndarray:
    """|difference| (H, W, 3) of the colors of a view and of another scene's."""
    one = read_view_image(scene, frame, "color").astype(int)
    return np.abs(one - read_view_image(other, other_frame, "color"))
