"""Graph-based segmentation against its definition, spelt out slowly, and on made-up surfaces."""

import itertools
import math

import numpy as np
import pytest
from region_rows import regions_of

from benchmarks.rand_index import adjusted_rand_index
from pointcept_wsegpc.regions import partition
from pointcept_wsegpc.regions.depth_view import DepthView
from pointcept_wsegpc.regions.graph import WEIGHT_STEP, lightest_first

SEGMENTATOR = {"threshold": 0.01, "min_size": 20, "convex": True}


def segments(coord, normal=None, **settings):
    """Segments (N,) of points."""
    return partition(coord, normal, method="graph", **settings)


def canonical(region):
    """The same partition with ids by first appearance; -1 stays."""
    names = {-1: -1}
    return np.array([names.setdefault(r, len(names) - 1) for r in np.asarray(region).tolist()])


def random_rotation(rng):
    q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return q * np.sign(np.linalg.det(q))


# --- the paper, spelt out ---------------------------------------------------------------------


def internal_difference(members, edges):
    """Eq. 1: the largest weight of a minimum spanning tree of the component."""
    inside = sorted((w, a, b) for w, a, b in edges if a in members and b in members)
    tree, largest = {m: {m} for m in members}, 0.0
    for w, a, b in inside:
        if tree[a] is not tree[b]:
            largest = w
            tree[a] |= tree[b]
            for member in tree[b]:
                tree[member] = tree[a]
    return largest


def segment_by_definition(n, edges, threshold, min_size):
    """Algorithm 1 on edges [(weight, tail, head)] in order; then small components are joined."""
    component = {i: frozenset([i]) for i in range(n)}

    def join(a, b):
        union = component[a] | component[b]
        component.update(dict.fromkeys(union, union))

    for w, a, b in edges:
        pair = component[a], component[b]
        bounds = [internal_difference(c, edges) + threshold / len(c) for c in pair]
        if pair[0] != pair[1] and w <= min(bounds):  # eq. 3, 4
            join(a, b)
    for _, a, b in edges:
        if component[a] != component[b] and min(len(component[a]), len(component[b])) < min_size:
            join(a, b)
    large = [min(component[i]) if len(component[i]) >= min_size else -1 for i in range(n)]
    return canonical(large)


def edges_of_neighbours(coord, normal, k, max_distance):
    """[(weight, tail, head)] in order of weight, then length, with brute-force neighbours."""
    distance = np.linalg.norm(coord[:, None] - coord[None], axis=-1)
    nearest = np.argsort(distance, axis=1)[:, 1 : k + 1]
    pairs = {tuple(sorted((i, int(j)))) for i, row in enumerate(nearest) for j in row}
    edges = []
    for a, b in pairs:
        step = coord[b] - coord[a]
        if min(abs(normal[a] @ step), abs(normal[b] @ step)) <= max_distance:
            weight = round((1 - abs(normal[a] @ normal[b])) / WEIGHT_STEP) * WEIGHT_STEP
            edges.append((weight, distance[a, b], a, b))
    return [(w, a, b) for w, _, a, b in sorted(edges)]


@pytest.mark.parametrize(
    "threshold, min_size, max_distance, spread",
    [(0.1, 1, math.inf, 0.3), (0.5, 6, 0.2, 0.5), (0.02, 3, 0.1, 0.1)],
)
def test_graph_is_the_definition_spelt_out(threshold, min_size, max_distance, spread):
    rng = np.random.default_rng(0)
    n = 70
    coord = rng.uniform(size=(n, 3)) * [1, 1, 0.3]
    normal = np.eye(3)[(coord[:, 0] > 0.5).astype(int)] + spread * rng.normal(size=(n, 3))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    edges = edges_of_neighbours(coord, normal, 5, max_distance)
    expected = segment_by_definition(n, edges, threshold, min_size)
    settings = {"threshold": threshold, "min_size": min_size, "max_distance": max_distance}
    region = segments(coord, normal, neighbours=5, **settings)
    assert 2 <= expected.max() < n - 2  # neither all joined nor none
    np.testing.assert_array_equal(canonical(region), expected)


def test_edges_go_by_weight_then_length_then_place():
    weight = np.array([0.5, 0.0, np.inf, 0.5, 0.5, 4.0, 0.0])
    length = np.array([2.0, 3.0, 1.0, 1.0, 2.0, 9.0, 0.0])
    np.testing.assert_array_equal(lightest_first(weight, length), [6, 1, 3, 0, 4, 5, 2])
    assert len(lightest_first(weight[:0], length[:0])) == 0


@pytest.mark.parametrize("unit", [1.0, 1e-300])
def test_one_long_edge_makes_no_others_equal(unit):
    length = unit * np.array([0.03, 0.01, 0.02, 0.01 + 1e-7, 1e15])
    np.testing.assert_array_equal(lightest_first(np.zeros(5), length), [1, 3, 2, 0, 4])


# --- surfaces ---------------------------------------------------------------------------------


def sheet(rng, n, noise=0.002):
    """n points on the unit square z = 0 with a little noise."""
    return np.column_stack([rng.uniform(size=(n, 2)), rng.normal(0, noise, n)])


@pytest.fixture
def corner():
    """Three perpendicular walls of 600 points with noisy normals, and the wall of every point."""
    rng = np.random.default_rng(1)
    coord = np.concatenate([np.roll(sheet(rng, 600), shift, axis=1) for shift in range(3)])
    wall = np.repeat(np.arange(3), 600)
    normal = np.eye(3)[[2, 0, 1]][wall] + rng.normal(0, 0.05, coord.shape)
    return coord, normal, wall


def test_parallel_planes_separate_by_distance():
    rng = np.random.default_rng(2)
    height = np.repeat([0, 0.03], 500)
    coord = np.column_stack([rng.uniform(size=(1000, 2)), height])
    normal = np.tile([0, 0, 1.0], (1000, 1))  # nearest neighbours of both planes are mixed
    region = segments(coord, normal, max_distance=0.02)
    low, high = (set(region[height == h]) - {-1} for h in (0, 0.03))
    assert low and high and not low & high
    assert (region >= 0).mean() > 0.95
    assert (segments(coord, normal, max_distance=0.04) == 0).all()


# --- invariances ------------------------------------------------------------------------------


def test_motion_and_scale_do_not_matter_to_convex(corner):
    coord, normal, _ = corner
    rotation = random_rotation(np.random.default_rng(5))
    settings = {"convex": True, "min_size": 25, "threshold": 0.05}
    expected = segments(coord, normal, max_distance=0.01, **settings)
    moved = segments(3 * coord @ rotation.T + 7, normal @ rotation.T, max_distance=0.03, **settings)
    assert expected.max() >= 2
    assert adjusted_rand_index(expected, moved) >= 0.99


def test_sign_of_normals_matters_only_to_convex(corner):
    coord, normal, _ = corner
    sign = np.random.default_rng(6).choice([-1.0, 1.0], size=(len(coord), 1))
    np.testing.assert_array_equal(segments(coord, normal), segments(coord, normal * sign))
    inside_out = segments(coord, -normal, convex=True)
    assert not np.array_equal(segments(coord, normal, convex=True), inside_out)


# --- meshes -----------------------------------------------------------------------------------


def folded_sheet(rows, columns, angle, rng=None):
    """coord (N,3), faces (F,3) of a grid bent about its middle row by an angle in degrees.

    The normals of the faces point up; a positive angle bends down, which is convex.
    """
    y, x = np.indices((rows, columns)).reshape(2, -1).astype(float)
    if rng is not None:
        x, y = x + rng.uniform(-0.2, 0.2, x.shape), y + rng.uniform(-0.2, 0.2, y.shape)
    beyond = np.maximum(y - (rows - 1) / 2, 0)
    bend = math.radians(angle)
    coord = np.stack([x, y + beyond * (math.cos(bend) - 1), -beyond * math.sin(bend)], axis=1)
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = (
        v.ravel() for v in (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:])
    )
    return coord, np.concatenate([np.stack([a, b, d], axis=1), np.stack([a, d, c], axis=1)])


def segmentator_by_rule(coord, faces, threshold, min_size):
    """What ScanNet's segmentator does, face by face: means of unit normals, one weight per face
    and edge, which is squared where the second end sees the first behind its plane.
    """
    n = len(coord)
    around = [[] for _ in range(n)]
    for face in faces:
        a, b, c = coord[face]
        normal = np.cross(b - a, c - a)
        for vertex in face:
            around[vertex].append(normal / np.linalg.norm(normal))
    normal = [np.mean(normals, axis=0) for normals in around]
    edges = []
    for i, j, k in faces.tolist():
        for a, b in ((i, j), (i, k), (k, j)):
            step = coord[b] - coord[a]
            weight = 1 - normal[a] @ normal[b]
            if normal[b] @ step > 0:
                weight *= weight
            weight = round(weight / WEIGHT_STEP) * WEIGHT_STEP
            edges.append((weight, np.linalg.norm(step), a, b))
    edges = [(w, a, b) for w, _, a, b in sorted(edges)]
    return segment_by_definition(n, edges, threshold, min_size)


def test_convex_joins_a_pillar_but_not_a_niche():
    turn, height = np.indices((24, 12)).reshape(2, -1)
    turn = turn / 23 * math.pi + 0.01 * height  # half a cylinder, 8 degrees from point to point
    outwards = np.column_stack([np.cos(turn), np.sin(turn), np.zeros_like(turn)])
    coord = outwards + np.column_stack([np.zeros((288, 2)), 0.15 * height])
    settings = {**SEGMENTATOR, "min_size": 12}
    assert (segments(coord, outwards, **settings) == 0).all()
    assert segments(coord, -outwards, **settings).max() >= 5


@pytest.mark.parametrize("angle", [20, -20])
def test_segmentator_is_its_rule_spelt_out(angle):
    rng = np.random.default_rng(7)
    coord, faces = folded_sheet(9, 8, angle, rng)
    coord[:, 2] += rng.normal(0, 0.05, len(coord))
    counts = set()
    for threshold, min_size in itertools.product((0.001, 0.01, 0.1), (1, 5)):
        expected = segmentator_by_rule(coord, faces, threshold, min_size)
        region = segments(coord, faces=faces, threshold=threshold, min_size=min_size, convex=True)
        np.testing.assert_array_equal(canonical(region), expected)
        counts.add(int(expected.max()) + 1)
    assert len(counts) >= 3


def test_mesh_edges_take_the_place_of_neighbours():
    rng = np.random.default_rng(8)
    coord, faces = folded_sheet(6, 12, 0, rng)
    middle = (faces // 12).max(axis=1) == 3  # a slit: the row of faces between rows 2 and 3
    normal = np.tile([0, 0, 1.0], (72, 1))
    slit = segments(coord, normal, faces=faces[~middle], min_size=5)
    np.testing.assert_array_equal(slit, np.repeat([0, 1], 36) ^ slit[0])
    assert (segments(coord, normal, faces=faces, min_size=5) == 0).all()
    assert (segments(coord, normal, min_size=5) == 0).all()
    coord[36:, 2] += 0.5  # a step that the mesh bridges, unless max_distance is given
    assert (segments(coord, normal, faces=faces) == 0).all()
    assert segments(coord, normal, faces=faces, max_distance=0.2).max() == 1
    normal[36:] = [1.0, 0, 0]  # given normals win over those of faces
    assert segments(coord, normal, faces=faces, min_size=5).max() == 1


def test_faces_at_left_out_or_coincident_points():
    coord, faces = folded_sheet(6, 6, 0)
    expected = segments(coord, faces=faces, **SEGMENTATOR)
    twice = np.concatenate([coord, coord])  # every second face names the copies
    faces_twice = faces + 36 * (np.arange(len(faces)) % 2)[:, None]
    faces_twice = np.concatenate([faces_twice, [[0, 36, 1], [2, 2, 3]]])  # without area
    region = segments(twice, faces=faces_twice, **SEGMENTATOR)
    np.testing.assert_array_equal(region, np.tile(expected, 2))
    coord[14] = np.nan
    region = segments(coord, faces=faces, **SEGMENTATOR)
    assert region[14] == -1 and (np.delete(region, 14) == 0).all()


def test_faces_on_a_view_name_pixels():
    intrinsic = [[50, 0, 2.5], [0, 50, 2], [0, 0, 1]]
    _, faces = folded_sheet(5, 6, 0)
    view = DepthView(np.full((5, 6), 2.0), intrinsic, faces=faces)
    assert (regions_of("graph", view, min_size=30) == 0).all()


# --- views ------------------------------------------------------------------------------------


# --- degenerate input -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"threshold": -0.1}, "threshold is -0.1"),
        ({"threshold": math.nan}, "threshold is nan"),
        ({"convex": True}, "convex"),
        ({"faces": [[0, 1, 4]]}, "0 to 4"),
        ({"faces": [[0, 1, -1]]}, "-1 to 1"),
        ({"faces": [[0, 1]]}, r"int64 of shape \(1, 2\)"),
        ({"faces": [[0.0, 1, 2]]}, "float64"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        segments(np.random.default_rng(12).normal(size=(4, 3)), **settings)
