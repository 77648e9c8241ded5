"""Pinhole cameras: projection, back-projection, depth-tested visibility.

Shapes: N points, M visible points, H x W pixels. Units: meters and pixels.
Pixel centers are at integer coordinates: the center of the top-left pixel is (0, 0).
A camera looks along +z; x points right (columns), y points down (rows).
"""

from __future__ import annotations

import numpy as np


def project(
    coord: np.ndarray, intrinsic: np.ndarray, world_to_camera: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Project world points into an image.

    Args: coord (N, 3) m; intrinsic (3, 3); world_to_camera (4, 4).
    Returns: uv (N, 2) px as (column, row), depth (N,) m along the optical axis.
    Points on or behind the image plane get depth <= 0 and uv that mean nothing.
    """
    coord = np.asarray(coord, dtype=np.float32)
    pose = np.asarray(world_to_camera, dtype=np.float64)
    # One matrix K [R|t] in float64, then one float32 pass over the points.
    matrix = (np.asarray(intrinsic, dtype=np.float64) @ pose[:3]).astype(np.float32)
    with np.errstate(invalid="ignore", over="ignore"):  # a non-finite point stays non-finite
        homogeneous = coord @ matrix[:, :3].T + matrix[:, 3]
        depth = homogeneous[:, 2]
        safe = np.where(depth > 0, depth, 1)
        return homogeneous[:, :2] / safe[:, None], depth


def back_project(
    depth: np.ndarray, intrinsic: np.ndarray, camera_to_world: np.ndarray | None = None
) -> np.ndarray:
    """Lift a depth image to points, (H, W) m -> (H, W, 3) m.

    In the camera frame, or in the world frame with camera_to_world (4, 4).
    Pixels without depth (0) land on the camera center: mask them by `depth > 0`.
    """
    depth = np.asarray(depth, dtype=np.float32)
    intrinsic = np.asarray(intrinsic, dtype=np.float64)
    height, width = depth.shape
    # x = (u - cx) z / fx, y = (v - cy) z / fy; the skew term is zero in every supported format.
    x = ((np.arange(width) - intrinsic[0, 2]) / intrinsic[0, 0]).astype(np.float32)
    y = ((np.arange(height) - intrinsic[1, 2]) / intrinsic[1, 1]).astype(np.float32)
    points = np.stack([x[None, :] * depth, y[:, None] * depth, depth], axis=-1)
    if camera_to_world is None:
        return points
    pose = np.asarray(camera_to_world, dtype=np.float32)
    return points @ pose[:3, :3].T + pose[:3, 3]


def pixels_in_image(
    coord: np.ndarray, intrinsic: np.ndarray, world_to_camera: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The points in front of a camera that lie in its image, hidden ones among them.

    Args: coord (N, 3) m; intrinsic (3, 3); world_to_camera (4, 4); size (H, W).
    Returns: point, row, col (M,) int64 and depth (M,) m, in the order of the points.
    """
    height, width = size
    uv, z = project(coord, intrinsic, world_to_camera)
    # floor(x + 0.5): the pixel whose center is nearest. In-image test in float first, because
    # a huge or non-finite coordinate has no meaningful integer.
    with np.errstate(invalid="ignore"):
        u, v = uv[:, 0] + 0.5, uv[:, 1] + 0.5
        inside = (z > 0) & (u >= 0) & (u < width) & (v >= 0) & (v < height)
    point = np.flatnonzero(inside)
    return point, v[point].astype(np.int64), u[point].astype(np.int64), z[point]


def visible_pixels(
    coord: np.ndarray,
    intrinsic: np.ndarray,
    world_to_camera: np.ndarray,
    depth: np.ndarray,
    tolerance: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points whose pixel holds a depth within `tolerance` of theirs (Eq. of the point-pixel links).

    Args: coord (N, 3) m; intrinsic (3, 3); world_to_camera (4, 4); depth (H, W) m, 0 = missing;
        tolerance m.
    Returns: point, row, col, each (M,) int64, in the order of the points.
    """
    depth = np.asarray(depth)
    point, row, col, z = pixels_in_image(coord, intrinsic, world_to_camera, depth.shape)
    measured = depth[row, col]
    seen = (measured > 0) & (np.abs(measured - z) <= tolerance)
    return point[seen], row[seen], col[seen]


def resize_intrinsic(
    intrinsic: np.ndarray, old_size: tuple[int, int], new_size: tuple[int, int]
) -> np.ndarray:
    """Intrinsic (..., 3, 3) of an image resized from old_size (H, W) to new_size (H, W).

    Focal lengths scale per axis; with centers at integers a principal point c goes to
    (c + 0.5) s - 0.5, because the image *edges* (-0.5) are what resizing keeps in place.
    """
    scaled = np.array(intrinsic, dtype=np.float64)
    for axis, (old, new) in enumerate(((old_size[1], new_size[1]), (old_size[0], new_size[0]))):
        s = new / old
        scaled[..., axis, :] *= s
        scaled[..., axis, 2] += 0.5 * s - 0.5
    return scaled
