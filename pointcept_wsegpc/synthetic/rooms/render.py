"""Ray casting of a synthetic room: what a color and a depth camera see of its patches.

T triangles, R rays, H x W pixels. Room frame in meters, z up; camera frame x right, y down,
z forward. Pixel centers are at integer coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...clouds.normals import face_normals
from .paint import PaintTable
from .room import Room

CEILING = np.array([0.82, 0.80, 0.76])  # color where a ray leaves the room; it has no depth


def grid_faces(rows: int, cols: int) -> np.ndarray:
    """Triangles (2·(rows−1)·(cols−1), 3) of a grid of vertices numbered row by row."""
    index = np.arange(rows * cols, dtype=np.int32).reshape(rows, cols)
    a, b, c, d = (
        part.ravel() for part in (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:])
    )
    return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def triangulate(patches: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (V, 3) float32, faces (T, 3) int32, and the patch of every vertex (V,) int32."""
    sizes = np.array([patch.shape[0] * patch.shape[1] for patch in patches])
    start = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    faces = [grid_faces(*p.shape[:2]) + first for p, first in zip(patches, start, strict=True)]
    vertices = np.concatenate([patch.reshape(-1, 3) for patch in patches])
    owner = np.repeat(np.arange(len(patches), dtype=np.int32), sizes)
    return vertices.astype(np.float32), np.concatenate(faces).astype(np.int32), owner


@dataclass
class Light:
    """A lamp near the ceiling, plus ambient light."""

    position: np.ndarray  # (3,) meters
    color: np.ndarray  # (3,)
    ambient: float

    @classmethod
    def random(cls, rng: np.random.Generator, size: np.ndarray) -> Light:
        position = size * [*rng.uniform(0.35, 0.65, 2), 0.95]
        warmth = rng.uniform(-0.08, 0.08)
        return cls(position, np.array([1 + warmth, 1.0, 1 - warmth]), rng.uniform(0.4, 0.55))


class RoomCaster:
    """Casts rays at a room's patches and colors what they hit."""

    def __init__(self, room: Room, light: Light):
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        self.patches = [patch for model in room.objects for patch in model.patches]
        self.paints = PaintTable([paint for model in room.objects for paint in model.paints])
        self.light = light
        vertices, faces, owner = triangulate(self.patches)
        normal, area = face_normals(vertices, faces)
        solid = area > 5e-11
        faces, self.normal = faces[solid], normal[solid]
        self.patch = owner[faces[:, 0]]
        self._scene = EmbreeScene()
        self._mesh = TriangleMesh(self._scene, vertices, faces)  # the scene only refers to it

    def cast(self, origin: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First hits of rays (R, 3): distance in units of |direction| (R,), triangle (R,) or −1."""
        hit = self._scene.run(*_contiguous(origin, direction), output=1)
        return np.where(hit["primID"] < 0, np.inf, hit["tfar"]), hit["primID"]

    def is_occluded(self, origin: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Whether something lies between two points, ignoring a centimeter at either end, (R,)."""
        direction = np.asarray(target) - np.asarray(origin)
        length = np.linalg.norm(direction, axis=-1, keepdims=True)
        unit = direction / np.maximum(length, 1e-9)
        reach = np.maximum(length[:, 0] - 0.02, 0).astype(np.float32)
        rays = _contiguous(np.asarray(origin) + 0.01 * unit, unit)
        return self._scene.run(*rays, dists=reach, query="OCCLUDED") == 0

    def shade(self, point, normal, patch) -> np.ndarray:
        """Colors (R, 3) in 0..1: Lambert with a shadow, plus ambient. Normals face the viewer."""
        to_light = self.light.position - point
        to_light /= np.linalg.norm(to_light, axis=1, keepdims=True)
        lambert = (to_light * normal).sum(1).clip(0)
        lit = np.nonzero(lambert > 0)[0]
        target = np.broadcast_to(self.light.position, (len(lit), 3))
        lambert[lit] *= np.where(self.is_occluded(point[lit], target), 0.35, 1.0)
        sky = 0.85 + 0.15 * normal[:, 2]  # light from above is a little stronger
        intensity = self.light.ambient * sky + (1.05 - self.light.ambient) * lambert
        return self.paints.albedo(point, patch) * intensity[:, None] * self.light.color


def _contiguous(origin, direction) -> tuple[np.ndarray, np.ndarray]:
    return np.ascontiguousarray(origin, np.float32), np.ascontiguousarray(direction, np.float32)


def pixel_rays(intrinsic: np.ndarray, width: int, height: int) -> np.ndarray:
    """Directions (H, W, 3) in the camera frame with z = 1: distances along them are z-depths."""
    u, v = np.meshgrid(np.arange(width), np.arange(height))
    x = (u - intrinsic[0, 2]) / intrinsic[0, 0]
    y = (v - intrinsic[1, 2]) / intrinsic[1, 1]
    return np.stack([x, y, np.ones_like(x)], -1)


def _look(caster: RoomCaster, rays: np.ndarray, pose: np.ndarray):
    """Casts camera rays (H, W, 3): z-depth (R,), triangle (R,), world directions (R, 3)."""
    direction = rays.reshape(-1, 3) @ pose[:3, :3].T
    distance, triangle = caster.cast(np.broadcast_to(pose[:3, 3], direction.shape), direction)
    return distance, triangle, direction


def render_depth(
    caster: RoomCaster, rays, pose, rng: np.random.Generator, noise: float = 1.0
) -> np.ndarray:
    """Depth image (H, W) uint16 in millimeters as a structured-light sensor gives it; 0 = none.

    Noise grows with the square of the distance (Khoshelham & Elberink, Sensors 2012: about
    1.4 mm per square meter), times `noise`. No return from far away, at grazing angles, from glass
    and, often, beside depth edges.
    """
    depth, triangle, direction = _look(caster, rays, pose)
    hit = triangle >= 0
    z = np.where(hit, depth, 0.0)
    unit = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    cosine = np.abs((caster.normal[triangle] * unit).sum(1))
    chance = rng.random((3, len(z)))
    hit &= (z > 0.35) & (z < 6.5) & (cosine > 0.08 + 0.14 * chance[0])
    hit &= chance[1] > caster.paints.dropout[caster.patch[triangle]] + 0.004
    edge = depth_edges(z.reshape(rays.shape[:2]))
    hit &= ~(edge.ravel() & (chance[2] < 0.45))
    noisy = z + noise * rng.normal(0, 1, len(z)) * (0.001 + 0.0014 * z**2)
    return np.where(hit, np.rint(noisy * 1000), 0).astype(np.uint16).reshape(rays.shape[:2])


def depth_edges(z: np.ndarray) -> np.ndarray:
    """Pixels (H, W) beside a jump in depth (meters) of more than 3 cm plus 4 %."""
    edge = np.zeros(z.shape, bool)
    for image, mark in ((z, edge), (z.T, edge.T)):
        jump = np.abs(np.diff(image, axis=0)) > 0.03 + 0.04 * np.minimum(image[1:], image[:-1])
        mark[1:] |= jump
        mark[:-1] |= jump
    return edge


def render_color(
    caster: RoomCaster, rays, pose, rng: np.random.Generator, noise: float = 1.0
) -> np.ndarray:
    """Color image (H, W, 3) uint8: shading, changing exposure, vignette, `noise` times noise."""
    depth, triangle, direction = _look(caster, rays, pose)
    hit = np.nonzero(triangle >= 0)[0]
    color = np.broadcast_to(CEILING * caster.light.color, direction.shape).copy()
    normal = caster.normal[triangle[hit]]
    away = (normal * direction[hit]).sum(1, keepdims=True) > 0
    point = pose[:3, 3] + depth[hit, None] * direction[hit]
    color[hit] = caster.shade(point, np.where(away, -normal, normal), caster.patch[triangle[hit]])
    corner = (rays[..., :2] ** 2).sum(-1).reshape(-1, 1)
    color *= rng.uniform(0.88, 1.1) * (1 - 0.25 * corner)
    color += noise * rng.normal(0, 0.012, color.shape)
    return (255 * color.clip(0, 1) ** (1 / 1.1)).astype(np.uint8).reshape(rays.shape)
