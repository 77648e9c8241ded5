"""A tiny raw ScanNet capture whose every depth is known: a floor (z = 0) and a wall (y = 3).

Floor is red and labeled, wall green; the rest of each image sees nothing. N points.
"""

import functools
import io
import json

import numpy as np
from plyfile import PlyData, PlyElement

from pointcept_wsegpc.captures.scannet.sens import SensHeader, pack_frame, write_sens

FLOOR, WALL = 0, 1  # instance ids; also the over-segments 10 and 20
DEPTH_SIZE, COLOR_SIZE = (48, 64), (120, 160)
TSV = (
    "id\traw_category\tcategory\tcount\tnyu40id\n"
    "700\tfloor\tfloor\t9\t2\n701\twall\twall\t9\t1\n702\tpaper\tpaper\t9\t50\n702\tfloor\tx\t1\t9\n"
)


def matrix4(fx, fy, cx, cy):
    matrix = np.eye(4, dtype=np.float32)
    matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2] = fx, fy, cx, cy
    return matrix


DEPTH_INTRINSIC = matrix4(60.0, 61.0, 31.2, 23.9)
COLOR_INTRINSIC = matrix4(142.0, 143.0, 79.9, 60.3)  # slightly wider than the depth camera


def pose(step):
    """Camera-to-world (4, 4) at height 1.2 m, looking along +y and a little down."""
    tilt = np.deg2rad(-20 - step)
    forward = np.array([0, np.cos(tilt), np.sin(tilt)])
    down = np.array([0, np.sin(tilt), -np.cos(tilt)])
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([np.cross(down, forward), down, forward], axis=1)
    matrix[:3, 3] = [2.0 + 0.05 * step, 0.3, 1.2]
    return matrix


def render(intrinsic, size, camera_to_world):
    """Exact z-depth (H, W) m and surface (H, W): FLOOR, WALL or -1, by ray-plane intersection."""
    row, col = np.indices(size)
    ray = np.stack(
        [
            (col - intrinsic[0, 2]) / intrinsic[0, 0],
            (row - intrinsic[1, 2]) / intrinsic[1, 1],
            np.ones(size),
        ],
        axis=-1,
    )
    direction, origin = ray @ camera_to_world[:3, :3].T, camera_to_world[:3, 3]
    with np.errstate(divide="ignore"):
        distance = np.stack([-origin[2] / direction[..., 2], (3 - origin[1]) / direction[..., 1]])
    distance[~(distance > 0)] = np.inf
    surface, depth = distance.argmin(0), distance.min(0)
    hit = origin + depth[..., None] * direction
    inside = (hit[..., 0] > 0) & (hit[..., 0] < 4) & (hit[..., 1] > 0) & (hit[..., 2] < 2)
    return np.where(inside, depth, 0), np.where(inside, surface, -1)


def room(step=0.05):
    """coord (N, 3), surface (N,) and faces (F, 3) of the two planes as grids."""
    coords, surfaces, faces, start = [], [], [], 0
    for surface, height in ((FLOOR, 3.0), (WALL, 2.0)):
        u, v = np.meshgrid(np.arange(0, 4, step), np.arange(0, height, step), indexing="ij")
        index = start + np.arange(u.size).reshape(u.shape)
        a, b, c, d = (
            i.ravel() for i in (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:])
        )
        faces += [np.stack([a, b, c], 1), np.stack([a, c, d], 1)]
        flat = np.zeros_like(u)
        coord = (u, v, flat) if surface == FLOOR else (u, flat + 3, v)
        coords.append(np.stack(coord, -1).reshape(-1, 3))
        surfaces.append(np.full(u.size, surface))
        start += u.size
    return np.concatenate(coords), np.concatenate(surfaces), np.concatenate(faces)


@functools.cache  # plyfile writes face by face
def mesh_file(step=0.05):
    """The bytes of a .ply: the room with its colors and faces."""
    coord, surface, face = room(step)
    fields = [(a, "f4") for a in "xyz"] + [(c, "u1") for c in ("red", "green", "blue", "alpha")]
    vertex = np.zeros(len(coord), dtype=fields)
    for axis, name in enumerate("xyz"):
        vertex[name] = coord[:, axis]
    vertex["red"], vertex["green"] = 255 * (surface == FLOOR), 255 * (surface == WALL)
    triangles = np.zeros(len(face), dtype=[("vertex_indices", "i4", (3,))])
    triangles["vertex_indices"] = face
    elements, file = [PlyElement.describe(vertex, "vertex")], io.BytesIO()
    PlyData([*elements, PlyElement.describe(triangles, "face")]).write(file)
    return file.getvalue()


def color_of(surface):
    return np.stack([255 * (surface == FLOOR), 255 * (surface == WALL), 0 * surface], -1).astype(
        np.uint8
    )


def header():
    return SensHeader(
        COLOR_INTRINSIC, DEPTH_INTRINSIC, COLOR_SIZE[1], COLOR_SIZE[0], DEPTH_SIZE[1], DEPTH_SIZE[0]
    )


def frames(count, bad=None):
    """Frames of the capture; bad: {index: function that spoils the packed frame}."""
    for index in range(count):
        to_world = pose(index)
        depth, _ = render(DEPTH_INTRINSIC, DEPTH_SIZE, to_world)
        _, surface = render(COLOR_INTRINSIC, COLOR_SIZE, to_world)
        millimeters = np.rint(depth * 1000).astype(np.uint16)
        frame = pack_frame(header(), index, to_world, color_of(surface), millimeters)
        if bad and index in bad:
            bad[index](frame)
        yield frame


def write_scan(raw, name, num_frames=8, bad=None, labels=True, folder="scans"):
    """One capture in ScanNet's layout under raw/<folder>/<name>."""
    scene = raw / folder / name
    scene.mkdir(parents=True)
    _, surface, _ = room()
    (scene / f"{name}_vh_clean_2.ply").write_bytes(mesh_file())
    write_sens(scene / f"{name}.sens", header(), frames(num_frames, bad))
    (scene / f"{name}.txt").write_text("axisAlignment = 0 -1 0 1 1 0 0 2 0 0 1 3 0 0 0 1 \nx = 1\n")
    if labels:
        segments = np.where(surface == FLOOR, 10, 20)
        segments[:3] = 99  # belongs to no object
        (scene / f"{name}_vh_clean_2.0.010000.segs.json").write_text(
            json.dumps({"segIndices": segments.tolist()})
        )
        groups = [
            {"id": 4, "label": "floor", "segments": [10]},
            {"id": 5, "label": "wall", "segments": [20]},
        ]
        (scene / f"{name}.aggregation.json").write_text(json.dumps({"segGroups": groups}))
    return scene


def write_lists(raw, **splits):
    raw.mkdir(parents=True, exist_ok=True)
    (raw / "scannetv2-labels.combined.tsv").write_text(TSV)
    for split, names in splits.items():
        (raw / f"scannetv2_{split}.txt").write_text("".join(f"{name}\n" for name in names))
