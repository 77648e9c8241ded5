"""Depth images of a camera that has none: rendered from the scan's mesh or points.

N points, F faces, H x W pixels. Meters; pixel centers at integer coordinates.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from . import pixels_in_image

NEAR = 0.05  # m; discs and faces nearer to the camera are not drawn
MAX_HALF_WIDTH = 24  # px, of a disc
LEANING = 0.1  # how far a disc smaller than its pixel may lean back in it, in its depth


class PointRenderer:
    """Points as discs in their tangent planes, or as one pixel each.

    Args: coord (N, 3) m; normal (N, 3) unit, of any sign, None: discs face along the optical axis;
        radius (N,) m of the discs, None: a point covers the pixel that it lies in.
    """

    kind = "points"

    def __init__(
        self,
        coord: np.ndarray,
        normal: np.ndarray | None = None,
        radius: np.ndarray | None = None,
    ):
        self.coord, self.normal, self.radius = coord, normal, radius

    def draw(
        self, intrinsic: np.ndarray, world_to_camera: np.ndarray, size: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Depth (H, W) float32 m, 0 = nothing there, and the point (H, W) int64 shown, -1 = none.

        Args: intrinsic (3, 3); world_to_camera (4, 4); size (H, W).
        """
        draw = self._draw_pixels if self.radius is None else self._draw_discs
        return draw(intrinsic, world_to_camera, size)

    def _draw_pixels(self, intrinsic, world_to_camera, size):
        point, row, col, z = pixels_in_image(self.coord, intrinsic, world_to_camera, size)
        order = np.argsort(z, kind="stable")[::-1]  # the last one written stays: the nearest
        row, col = row[order], col[order]
        depth, shown = np.zeros(size, np.float32), np.full(size, -1, dtype=np.int64)
        depth[row, col], shown[row, col] = z[order], point[order]
        return depth, shown

    def _draw_discs(self, intrinsic, world_to_camera, size):
        rotation, shift = world_to_camera[:3, :3], world_to_camera[:3, 3]
        point = np.asarray(self.coord, dtype=np.float64) @ rotation.T + shift
        if self.normal is None:
            normal = np.broadcast_to(np.array([0.0, 0, 1]), point.shape)
        else:
            normal = np.asarray(self.normal, dtype=np.float64) @ rotation.T
        depth, shown = np.full(size, np.inf), np.full(size, -1, dtype=np.int64)
        intrinsic = np.ascontiguousarray(intrinsic, dtype=np.float64)
        radius = np.asarray(self.radius, dtype=np.float64)
        _draw_discs(point, normal, radius, intrinsic, depth, shown)
        return np.where(shown >= 0, depth, 0).astype(np.float32), shown


@njit(cache=True)
def _draw_discs(point, normal, radius, intrinsic, depth, shown):
    """Z-buffer: a disc covers the pixels whose rays meet it; without any, its nearest pixel."""
    height, width = depth.shape
    fx, fy, cx, cy = intrinsic[0, 0], intrinsic[1, 1], intrinsic[0, 2], intrinsic[1, 2]
    for i in range(len(point)):
        x, y, z = point[i]
        if not z > NEAR:
            continue
        u, v = fx * x / z + cx, fy * y / z + cy
        half_u = min(radius[i] * fx / z, MAX_HALF_WIDTH)
        half_v = min(radius[i] * fy / z, MAX_HALF_WIDTH)
        if not (-half_u - 1 < u < width + half_u and -half_v - 1 < v < height + half_v):
            continue
        missed, own_row, own_col = True, int(np.floor(v + 0.5)), int(np.floor(u + 0.5))
        for row in range(max(0, int(np.ceil(v - half_v))), min(height, int(v + half_v) + 1)):
            for col in range(max(0, int(np.ceil(u - half_u))), min(width, int(u + half_u) + 1)):
                ray_x, ray_y = (col - cx) / fx, (row - cy) / fy
                d = _plane_depth(point[i], normal[i], ray_x, ray_y)
                off = (d * ray_x - x) ** 2 + (d * ray_y - y) ** 2 + (d - z) ** 2
                if off > radius[i] ** 2 or d < NEAR:
                    continue
                missed = False
                if d < depth[row, col]:
                    depth[row, col], shown[row, col] = d, i
        if missed and 0 <= own_row < height and 0 <= own_col < width:
            d = _plane_depth(point[i], normal[i], (own_col - cx) / fx, (own_row - cy) / fy)
            d = d if abs(d - z) <= LEANING * z else z
            if d < depth[own_row, own_col]:
                depth[own_row, own_col], shown[own_row, own_col] = d, i


@njit(cache=True)
def _plane_depth(point, normal, ray_x, ray_y):
    """Where the ray (ray_x, ray_y, 1) meets the plane through a point; infinite if nowhere."""
    slope = normal[0] * ray_x + normal[1] * ray_y + normal[2]
    if abs(slope) < 1e-9:
        return np.inf
    return (normal[0] * point[0] + normal[1] * point[1] + normal[2] * point[2]) / slope


class MeshRenderer:
    """Rays against the triangles of a mesh, by Embree (extra `cpu`)."""

    kind = "mesh"

    def __init__(self, coord: np.ndarray, face: np.ndarray):
        """coord (N, 3) m; face (F, 3). ImportError without embreex."""
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        self._scene = EmbreeScene()
        vertices = np.ascontiguousarray(coord, dtype=np.float32)
        self._mesh = TriangleMesh(self._scene, vertices, np.ascontiguousarray(face, np.int32))

    def draw(
        self, intrinsic: np.ndarray, world_to_camera: np.ndarray, size: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Depth (H, W) float32 m, 0 = nothing there, and the face (H, W) int64 shown, -1 = none."""
        row, col = np.indices(size).reshape(2, -1)
        ray = np.stack(
            [
                (col - intrinsic[0, 2]) / intrinsic[0, 0],
                (row - intrinsic[1, 2]) / intrinsic[1, 1],
                np.ones(len(row)),
            ],
            axis=1,
        )
        pose = np.linalg.inv(world_to_camera)
        direction = np.ascontiguousarray(ray @ pose[:3, :3].T, dtype=np.float32)
        origin = np.ascontiguousarray(np.broadcast_to(pose[:3, 3], ray.shape), dtype=np.float32)
        hit = self._scene.run(origin, direction, output=1)
        face = hit["primID"].astype(np.int64)
        depth = np.where(face < 0, 0, hit["tfar"])  # the ray has z = 1: t is the depth
        return depth.reshape(size).astype(np.float32), face.reshape(size)
