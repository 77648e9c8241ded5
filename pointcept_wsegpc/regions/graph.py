"""Graph-based segmentation: segments that bend less inside than they do against each other.

After Felzenszwalb & Huttenlocher, "Efficient Graph-Based Image Segmentation", IJCV 2004 (F&H), on
the neighbours of points or pixels, or on the edges of a mesh, with the weights that ScanNet's
segmentator introduced. N points given, M rows of a Cloud or a DepthView, E edges, F faces.

Its segments, as in `*.segs.json`, are those of partition_graph with threshold 0.01, min_size 20 and
convex, given the faces of its mesh and no normals. What differs: ties; points at one place, which
are one here; faces without area, skipped here; and what stays below min_size for want of edges,
which is a segment there and unassigned here. With given normals or without faces it is the same
rule on something else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import njit

from ..clouds.normals import face_normals, sum_at_vertices
from ..clouds.ply import read_ply
from .cloud import Cloud
from .depth_view import DepthView
from .growing import check_min_size
from .registry import PARTITIONS

# Weights are multiples of this, so that what differs by rounding alone is equal everywhere.
WEIGHT_STEP = 2.0**-28


# Neighbours are nearer to each other's plane than a region's members to the region's: the default
# of max_distance, as a share of the cloud's.
PLANE_SHARE = 0.5
MAX_WEIGHT = 2**31 - 1  # weight in steps that edges are sorted by


@dataclass(frozen=True)
class GraphSettings:
    """Settings of graph-based segmentation; ValueError for one out of range."""

    neighbours: int = 8  # of a point; of a pixel they are the eight around it
    threshold: float = 0.03  # weight that a segment of one point tolerates
    min_size: int | None = None  # points; smaller segments are joined. None: the cloud decides
    max_distance: float | None = None  # meters; None: the cloud decides, without bound on a mesh
    convex: bool = False  # outward bends count little
    mesh: Path | None = None  # .ply whose vertices are the points: its faces, its normals

    def __post_init__(self):
        check_min_size(self.min_size)
        if self.neighbours < 1:
            raise ValueError(f"neighbours is {self.neighbours}; an edge needs at least 1")
        if not 0 <= self.threshold < math.inf:
            raise ValueError(f"threshold is {self.threshold}; give a finite weight of at least 0")
        if self.max_distance is not None and not self.max_distance > 0:
            raise ValueError(
                f"max_distance is {self.max_distance}; give a length above 0, in meters"
            )


def derived(cloud: Cloud | DepthView, settings: GraphSettings) -> dict[str, float]:
    """max_distance and min_size of a cloud or view, where the settings leave them to it."""
    values = {}
    if settings.max_distance is None and not on_mesh(cloud, settings):
        values["max_distance"] = PLANE_SHARE * cloud.max_distance
    if settings.min_size is None:
        values["min_size"] = cloud.min_size
    return values


def on_mesh(cloud: Cloud | DepthView, settings: GraphSettings) -> bool:
    """Whether the edges are those of faces."""
    return settings.mesh is not None or cloud.array("faces") is not None


@PARTITIONS.register(
    "graph",
    settings=GraphSettings,
    presets={
        "indoor": {},
        "outdoor": {"max_distance": 0.3},
        # ScanNet's segmentator, exactly so on the faces of its mesh (see partition_graph).
        "segmentator": {"threshold": 0.01, "min_size": 20, "convex": True},
    },
    uses=("faces",),
    files=("mesh",),
    views=lambda settings: not settings.convex and settings.mesh is None,
    derived=derived,
    coarser=("threshold", "max_distance"),
    on_cloud=True,
)
def partition_graph(cloud: Cloud | DepthView, settings: GraphSettings) -> np.ndarray:
    """Segments of a cloud or view that bend less inside than they do against each other.

    An edge weighs 1 - |cos| of the angle between the normals of its ends. From the lightest on, an
    edge joins two segments if it weighs no more than the heaviest inside either + threshold / size:
    a larger threshold gives larger segments. Two single points join at 0.03 up to 14 degrees, at
    0.1 up to 26. Segments below min_size rows are then joined along the edges in the same order,
    and so are rows without a normal; what stays smaller for want of edges is unassigned, -1.

    No edge joins rows more than max_distance meters off each other's tangent plane: a picture and
    its wall, the two sides of a depth step. None: half of what the cloud has for regions. There is
    no bound on length: a sparse stretch of floor is no gap.

    The array faces (F,3) holds triangles over the N points, all turned the same way. Their edges
    take the place of the neighbours', and max_distance binds only if given. Normals that are
    missing come from them; with `mesh`, whose faces they are then, all normals do.

    convex: as between the faces of a box. The weight is 1 - cos, with sign, squared where the edge
    is convex (see weigh_edges). It takes normals that point outwards, given or from faces. Returns
    (M,). Raises ValueError without, and for faces of other points.
    """
    if on_mesh(cloud, settings):
        faces, given = cloud.array("faces"), cloud.given_normal
        if settings.mesh is not None:
            faces, given = read_faces(settings.mesh, *cloud.shape), None
        corner = rows_of_faces(cloud, faces)
        tail, head = mesh_edges(corner)
        normal = normals_on_mesh(cloud.coord, given, corner)
    elif settings.convex and cloud.given_normal is None:
        raise ValueError("convex needs normals that point outwards; give normals or faces")
    else:
        corner = None
        tail, head = table_edges(cloud.neighbours(settings.neighbours))
        given = cloud.given_normal
        normal = given if settings.convex else cloud.planes(settings.neighbours)[0]
    bound = math.inf if settings.max_distance is None else settings.max_distance
    weight, length = weigh_edges(
        cloud.coord, normal, tail, head, cloud.tolerance(bound), settings.convex, corner is not None
    )
    linked = np.flatnonzero(length >= 0)
    order = linked[lightest_first(weight[linked], length[linked])]
    threshold = float(settings.threshold)
    return join_segments(len(cloud), tail, head, weight, order, threshold, settings.min_size)


def read_faces(path: str, num_points: int) -> np.ndarray:
    """Triangles (F,3) int64 of a `.ply` whose vertices are the points of the cloud."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"mesh {path} is missing; check the setting mesh")
    mesh = read_ply(path)
    if len(mesh.coord) != num_points:
        raise ValueError(
            f"{path} has {len(mesh.coord)} vertices, the scene {num_points} points; "
            "give the mesh that the scene was made from"
        )
    return np.empty((0, 3), np.int64) if mesh.face is None else mesh.face


def rows_of_faces(cloud, faces):
    """Rows (F',3) at the corners of the faces (F,3), without those that touch a skipped point."""
    faces = np.asarray(faces)
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu":
        raise ValueError(
            f"faces are {faces.dtype} of shape {faces.shape}; expected integers of shape (F, 3)"
        )
    row = cloud.spread(np.arange(len(cloud))).ravel()
    if faces.size and not 0 <= faces.min() <= faces.max() < len(row):
        raise ValueError(
            f"faces name the points {faces.min()} to {faces.max()}; there are {len(row)}, from 0 on"
        )
    corner = row[faces]
    return corner[(corner >= 0).all(axis=1)]


def mesh_edges(corner):
    """Tail (E,) and head (E,) of the edges of faces (F,3): from 0 to 1, 0 to 2 and 2 to 1.

    An edge is there twice where two faces meet. The lighter of the two decides: if it does not join
    its segments, one of them grows no more (F&H, lemma 1).
    """
    tail, head = corner[:, [0, 0, 2]].ravel(), corner[:, [1, 2, 1]].ravel()
    proper = tail != head
    return tail[proper], head[proper]


def normals_on_mesh(coord, given, corner):
    """Normals (M,3): those given, if any; elsewhere the mean of the adjacent faces' unit normals.

    That is shorter than 1 at a crease, as in the segmentator, which adds to the weights there.
    """
    normal = np.zeros_like(coord) if given is None else given
    missing = ~normal.any(axis=1, keepdims=True)
    if not missing.any():
        return normal
    of_face, area = face_normals(coord, corner)
    corner, of_face = corner[area > 0], of_face[area > 0]
    total = sum_at_vertices(corner, of_face, len(coord))
    count = np.maximum(np.bincount(corner.ravel(), minlength=len(coord)), 1)
    return np.where(missing, total / count[:, None], normal)


def lightest_first(weight, length):
    """Order (E,) of edges by weight, then length, then as they are. Two sorts of integers."""
    if len(weight) == 0:
        return np.zeros(0, np.int64)
    share = length / max(length.max(), np.finfo(float).tiny)
    # The bits of floats from 0 to 1, read as integers, are in the order of the floats.
    shortest = stable_order(share.view(np.int64))
    weight = np.minimum(weight[shortest] / WEIGHT_STEP, MAX_WEIGHT)
    return shortest[stable_order(weight.astype(np.int64) << 31)]


def stable_order(level):
    """Indices that sort integers (E,) from 0 to 2^62, equal ones as they are.

    As many of the lowest bits as an index takes are rounded away: what is left of a float of a
    million tells 9 digits, so that what differs by rounding alone is equal.
    """
    low = (1 << len(level).bit_length()) - 1
    key = (level + (low >> 1)) & ~low | np.arange(len(level))
    key.sort()
    return key & low


@njit(cache=True)
def table_edges(table):
    """Tail (E,) and head (E,) of the pairs of rows of which one has the other as a neighbour."""
    rows, entries = table.shape
    tail = np.empty(rows * (entries - 1), np.int32)
    head = np.empty_like(tail)
    count = 0
    for i in range(rows):
        for s in range(1, entries):
            j = table[i, s]
            known = j < 0
            if j < i:  # was it found from j?
                for t in range(1, entries):
                    known |= table[j, t] == i
            if not known:
                tail[count], head[count] = i, j
                count += 1
    return tail[:count], head[:count]


@njit(cache=True)
def weigh_edges(coord, normal, tail, head, tolerance, convex, tail_only):
    """Weight (E,), inf where an end has no normal, and length (E,), -1 where the edge is cut.

    coord (M,3) in meters, normal (M,3), 0 = none. The weight is 1 - |cos|, or where convex is asked
    for 1 - cos, squared where both ends lie behind the other's tangent plane. tail_only: that
    the tail does is enough, as in ScanNet's segmentator, which keeps an edge once per face.
    tolerance (M,): an edge is cut if both ends are farther off the other's tangent plane, in
    meters. An end without a normal does not count; of two of them the length does.
    """
    weight, length = np.empty(len(tail)), np.empty(len(tail))
    for e in range(len(tail)):
        a, b = tail[e], head[e]
        dot, ahead, behind, square, size_a, size_b = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for k in range(3):
            step = coord[b, k] - coord[a, k]
            dot += normal[a, k] * normal[b, k]
            ahead += normal[b, k] * step  # > 0: the tail is behind the plane of the head
            behind -= normal[a, k] * step  # > 0: the head is behind the plane of the tail
            square += step * step
            size_a += abs(normal[a, k])
            size_b += abs(normal[b, k])
        off = math.inf
        if size_a > 0.0:
            off = abs(behind)
        if size_b > 0.0:
            off = min(off, abs(ahead))
        length[e] = math.sqrt(square)
        if not min(off, length[e]) <= max(tolerance[a], tolerance[b]):
            length[e] = -1.0
        bend = 1.0 - (dot if convex else abs(dot))
        if convex and ahead > 0.0 and (tail_only or behind > 0.0):
            bend *= bend
        usable = size_a > 0.0 and size_b > 0.0
        weight[e] = max(0.0, round(bend / WEIGHT_STEP)) * WEIGHT_STEP if usable else math.inf
    return weight, length


@njit(cache=True)
def find_root(parent, i):
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(cache=True)
def join_segments(rows, tail, head, weight, order, threshold, min_size):
    """Segment (M,) int32 of every row, contiguous from 0; -1 for segments below min_size.

    Segments are trees of a disjoint-set forest, joined by size. limit is Int(C) + k / |C| of F&H
    eq. 2-4: edges come in order of weight, so the last one that joined is the largest inside.
    """
    parent, size = np.arange(rows), np.ones(rows, np.int64)
    limit = np.full(rows, threshold)
    for joins_small in (False, True):
        for e in order:
            a, b = find_root(parent, tail[e]), find_root(parent, head[e])
            if a == b:
                continue
            if joins_small:
                if size[a] >= min_size and size[b] >= min_size:
                    continue
            elif not weight[e] <= min(limit[a], limit[b]):
                continue
            if size[a] < size[b]:
                a, b = b, a
            parent[b] = a
            size[a] += size[b]
            limit[a] = weight[e] + threshold / size[a]
    label, region = np.full(rows, -1, np.int32), np.full(rows, -1, np.int32)
    count = 0
    for i in range(rows):
        root = find_root(parent, i)
        if size[root] < min_size:
            continue
        if label[root] < 0:
            label[root] = count
            count += 1
        region[i] = label[root]
    return region
