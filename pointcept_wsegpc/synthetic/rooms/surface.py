"""The mesh that a scan of a synthetic room would be reconstructed to.

V vertices, F faces, S segments. Patches are resampled to an even vertex spacing, what no camera
position sees is dropped, faces are turned to the side that was seen, and vertices get the small
errors of a reconstruction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree

from ...clouds.clean import unit
from ...clouds.normals import face_normals, sum_at_vertices
from .difficulty import PLAIN, Difficulty
from .render import RoomCaster, triangulate
from .room import Room

VIEW = (0.58, 0.44)  # tangents of half the field of view, a little more than the depth camera's
HOLE_RADIUS = (0.08, 0.25)  # meters
SEGMENT_SIZE = 0.4  # meters, about the size of ScanNet's over-segments on plain walls


@dataclass
class ScanMesh:
    """Vertices in the room frame; `object` indexes Room.objects, segments never cross objects."""

    coord: np.ndarray  # (V, 3) float32, meters
    color: np.ndarray  # (V, 3) uint8
    face: np.ndarray  # (F, 3) int32
    segment: np.ndarray  # (V,) int32, contiguous from 0
    object: np.ndarray  # (V,) int32


def scan_mesh(
    room: Room,
    caster: RoomCaster,
    poses: np.ndarray,
    points: int,
    rng: np.random.Generator,
    difficulty: Difficulty = PLAIN,
) -> ScanMesh:
    """A mesh of about `points` vertices of the surfaces that come into view at `poses` (E, 4, 4).

    Poses are camera-to-world in the room frame; the field of view is VIEW wide. Holes and the
    blending of surfaces come on top (difficulty.py).
    """
    spacing = 0.08
    for _ in range(4):  # the share that is seen is known only after looking
        patches = [resample(patch, spacing) for patch in caster.patches]
        vertices, faces, owner = triangulate(patches)
        seen_from = _first_view(caster, vertices, poses)
        faces = faces[(seen_from[faces] >= 0).all(1)]
        faces = faces[face_normals(vertices, faces)[0].any(axis=1)]
        count = len(np.unique(faces))
        if abs(count - points) < 0.04 * points:
            break
        spacing *= np.sqrt(count / points)
    if difficulty.holes:
        faces = punch_holes(vertices, faces, difficulty.holes, rng)
    faces = _turn_to(vertices, faces, poses[seen_from[faces[:, 0]], :3, 3])
    used, faces = np.unique(faces, return_inverse=True)
    faces = faces.reshape(-1, 3).astype(np.int32)
    patch_object = np.repeat(np.arange(len(room.objects)), [len(m.patches) for m in room.objects])
    segment = np.unique(_blocks(patches, spacing)[used], return_inverse=True)[1]
    coord, owner = vertices[used], owner[used]
    normal = unit(sum_at_vertices(faces, face_normals(coord, faces)[0], len(coord)))
    noise = difficulty.noise
    color = caster.shade(coord, normal, owner) + noise * rng.normal(0, 0.03, coord.shape)
    error = _reconstruction_error(coord, normal, spacing, noise, rng)
    if difficulty.fusion:
        coord, color = fuse(coord, color, difficulty.fusion)
    color = (255 * color.clip(0, 1) ** (1 / 1.1)).astype(np.uint8)
    return ScanMesh(
        (coord + error).astype(np.float32),
        color,
        faces,
        segment.astype(np.int32),
        patch_object[owner].astype(np.int32),
    )


def resample(patch: np.ndarray, spacing: float) -> np.ndarray:
    """The same surface (U, V, 3) on a grid of about `spacing` meters.

    Curved patches keep at least half of their control points' resolution.
    """
    for axis in (0, 1):
        step = np.linalg.norm(np.diff(patch, axis=axis), axis=-1).mean(1 - axis)
        length = np.concatenate([[0], np.cumsum(step)])
        cells = max(1, (patch.shape[axis] - 1) // 2, round(length[-1] / spacing))
        at = np.interp(np.linspace(0, length[-1], cells + 1), length, np.arange(len(length)))
        low = np.minimum(at.astype(int), patch.shape[axis] - 2)
        weight = np.expand_dims(at - low, (1 - axis, 2))
        left, right = np.take(patch, low, axis), np.take(patch, low + 1, axis)
        patch = left + (right - left) * weight
    return patch


def _first_view(caster: RoomCaster, vertices: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """The first pose that sees each vertex, −1 = none, (V,) int64."""
    seen_from = np.full(len(vertices), -1)
    for number, pose in enumerate(poses):
        x, y, z = ((vertices - pose[:3, 3]) @ pose[:3, :3]).T
        inside = (z > 0) & (np.abs(x) < VIEW[0] * z) & (np.abs(y) < VIEW[1] * z)
        left = np.nonzero(inside & (seen_from < 0))[0]
        eye = np.broadcast_to(pose[:3, 3], (len(left), 3))
        free = ~caster.is_occluded(vertices[left], eye)
        seen_from[left[free]] = number
    return seen_from


def _turn_to(vertices: np.ndarray, faces: np.ndarray, eye: np.ndarray) -> np.ndarray:
    """Flip the triangles whose normal points away from the eye (F, 3) that saw them."""
    facing = (face_normals(vertices, faces)[0] * (eye - vertices[faces[:, 0]])).sum(1)
    return np.where(facing[:, None] < 0, faces[:, ::-1], faces)


def _blocks(patches: list[np.ndarray], spacing: float) -> np.ndarray:
    """Every patch cut into blocks of about SEGMENT_SIZE, a number per block, (V,)."""
    cells, first, blocks = max(1, round(SEGMENT_SIZE / spacing)), 0, []
    for patch in patches:
        rows, cols = (np.arange(size) // cells for size in patch.shape[:2])
        block = rows[:, None] * (cols[-1] + 1) + cols + first
        first = block[-1, -1] + 1
        blocks.append(block.ravel())
    return np.concatenate(blocks)


def _reconstruction_error(coord, normal, spacing: float, noise: float, rng) -> np.ndarray:
    """Displacements (V, 3) in meters.

    Some 3 mm of waviness of a fused surface and 1.5 mm of noise, both times `noise`, and a shift
    within the surface that breaks the regular grid.
    """
    wave, phase = rng.normal(size=(3, 6)) * 8, rng.uniform(0, 2 * np.pi, 6)
    height = 0.0025 * np.sin(coord @ wave + phase).sum(1) / np.sqrt(3)
    shift = rng.normal(0, 0.12 * spacing, coord.shape)
    shift -= (shift * normal).sum(1, keepdims=True) * normal
    return noise * height[:, None] * normal + shift + noise * rng.normal(0, 0.0015, coord.shape)


def punch_holes(vertices, faces, mean: float, rng: np.random.Generator) -> np.ndarray:
    """The faces (F, 3) that remain after cutting about `mean` round holes at random places."""
    center = vertices[faces].mean(1)
    keep = np.ones(len(faces), bool)
    for at in center[rng.integers(len(faces), size=rng.poisson(mean))]:
        keep &= ((center - at) ** 2).sum(1) > rng.uniform(*HOLE_RADIUS) ** 2
    return faces[keep]


def fuse(coord: np.ndarray, color: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates and colors (V, 3), each the mean over the vertices within `radius` meters.

    Like a grid of signed distances, this rounds edges and sinks thin things into what they lie on.
    """
    pairs = cKDTree(coord).query_pairs(radius, output_type="ndarray")
    ends = np.concatenate([pairs[:, 0], pairs[:, 1]])
    graph = csr_matrix(
        (np.ones(len(ends)), (ends, np.concatenate([pairs[:, 1], pairs[:, 0]]))),
        shape=(len(coord), len(coord)),
    )
    count = 1 + np.bincount(ends, minlength=len(coord))[:, None]
    return (coord + graph @ coord) / count, (color + graph @ color) / count
