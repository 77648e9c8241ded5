"""The cloud of a user's scan as prepared points: meters, z up, near the origin, thinned.

N points as scanned, M prepared points.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...clouds.clean import is_measured
from ...clouds.formats import PointCloud
from ...clouds.normals import complete_normals, vertex_normals
from ...clouds.voxels import thin

COARSE_STEP, MAX_STEP = 0.005, 0.1  # m between 32-bit coordinates: to be said, and an error
FAR = 1000.0  # m from the origin, where float32 coordinates get coarse: the origin is moved
GRAY = 127  # of points without color
# The world's up axis, as the rows of a rotation into a world where it is z.
UP = {
    "z": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "y": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "x": ((0, 1, 0), (0, 0, 1), (1, 0, 0)),
    "-z": ((1, 0, 0), (0, -1, 0), (0, 0, -1)),
    "-y": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    "-x": ((0, 1, 0), (0, 0, -1), (-1, 0, 0)),
}


@dataclass(frozen=True)
class World:
    """The way from the capture's world to the prepared scene's: meters, z up, near the origin."""

    scale: float
    rotation: np.ndarray  # (3, 3)
    origin: np.ndarray  # (3,) m, after scale and rotation, what becomes 0

    @classmethod
    def of(cls, coord: np.ndarray, scale: float, up: str) -> World:
        """For the cloud (N, 3); the origin moves, by whole meters, only for a cloud far from it.

        A cloud in a wrong unit is large rather than far: it stays, so that one factor mends it.
        """
        rotation = np.array(UP[up], dtype=np.float64)
        finite = coord[np.isfinite(coord).all(axis=1)]
        low, placed, high = scale * np.quantile(finite, (0.01, 0.5, 0.99), axis=0)
        far = np.abs(placed).max() > max(FAR, (high - low).max())
        return cls(scale, rotation, np.rint(placed @ rotation.T) if far else np.zeros(3))

    def points(self, coord: np.ndarray) -> np.ndarray:
        return self.scale * (coord @ self.rotation.T) - self.origin

    def pose(self, camera_to_world: np.ndarray) -> np.ndarray:
        """The pose (4, 4) of a camera after the move; the camera itself does not grow."""
        moved = np.array(camera_to_world, dtype=np.float64)
        with np.errstate(invalid="ignore"):  # a lost pose stays non-finite
            moved[:3, :3] = self.rotation @ moved[:3, :3]
            moved[:3, 3] = self.points(moved[:3, 3])
        return moved

    def back(self, coord: np.ndarray, world_to_camera: np.ndarray) -> tuple:
        """Prepared points (N, 3) and poses (..., 4, 4) in the capture's own frame, in meters."""
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = self.rotation, -self.origin
        return (coord + self.origin) @ self.rotation, world_to_camera @ matrix

    def alignment(self, given: np.ndarray) -> np.ndarray:
        """World-to-gravity (4, 4) of the prepared world, from that of the capture's meters."""
        back = np.eye(4)
        back[:3, :3], back[:3, 3] = self.rotation.T, self.rotation.T @ self.origin
        return given @ back


def without_strays(cloud: PointCloud, scale: float) -> tuple[PointCloud, dict]:
    """The cloud with NaN for points that are no measurements, and without their faces.

    Returns, too: {num_without_coordinates, num_too_far, too_far: [row, x, y, z] of one of them}.
    """
    finite, measured = np.isfinite(cloud.coord).all(axis=1), is_measured(scale * cloud.coord)
    far = np.flatnonzero(finite & ~measured)
    coord, face = np.where(measured[:, None], cloud.coord, np.nan), cloud.face
    if face is not None:
        face = face[measured[face].all(axis=1)]
    strays = {
        "num_without_coordinates": int((~finite).sum()),
        "num_too_far": len(far),
        "too_far": [int(far[0]), *cloud.coord[far[0]].tolist()] if len(far) else None,
    }
    face = None if face is None or not len(face) else face
    return replace(cloud, coord=coord, face=face), strays


def coordinate_step(coord: np.ndarray) -> float:
    """How far apart the next 32-bit float is from coordinates (N, 3); 0 for such of more bits."""
    finite = coord[np.isfinite(coord).all(axis=1)]
    if (finite != finite.astype(np.float32)).any():
        return 0.0
    return float(np.spacing(np.abs(np.median(finite, axis=0)).max().astype(np.float32)))


def prepared_points(cloud, world: World, spacing: float) -> tuple[dict, np.ndarray, np.ndarray]:
    """A cloud, as clouds.read has it, as points.

    Returns: {coord, color, normal} of M points, inverse (N,), which normals are estimates (M,).
    """
    coord = world.points(cloud.coord)
    index, inverse = thin(coord, spacing)
    coord = coord[index].astype(np.float32)
    color = np.full(coord.shape, GRAY, np.uint8) if cloud.color is None else cloud.color[index]
    normal = cloud.normal
    if normal is None and cloud.face is not None:
        normal = vertex_normals(cloud.coord, cloud.face)
    if normal is not None:
        normal = normal[index] @ world.rotation.T
    normal, estimated = complete_normals(coord, normal)
    return {"coord": coord, "color": color, "normal": normal}, inverse, estimated
