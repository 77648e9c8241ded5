"""Supervoxels against a plain version of the same rule, and on made-up surfaces."""

import itertools
import math

import numpy as np
import pytest
from region_rows import regions_of
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from pointcept_wsegpc.regions import partition
from pointcept_wsegpc.regions.cloud import Cloud
from pointcept_wsegpc.regions.depth_view import DepthView
from pointcept_wsegpc.regions.supervoxel import (
    CELL_SHIFT,
    SEED_SHARE,
    SupervoxelSettings,
)
from pointcept_wsegpc.regions.supervoxel import elements as supervoxel_elements
from pointcept_wsegpc.regions.supervoxel.elements import elements_of, lab
from pointcept_wsegpc.regions.supervoxel.planes import (
    MIN_POINTS,
    REFIT_GROWTH,
    RMS_SHARE,
)

METHODS = ["supervoxel", "supervoxel+growing"]


def patch(rng, n, axis, offset=0.0, noise=0.002, side=2.0):
    """n points spread over the square [0,side]^2 m across an axis, and their normal."""
    points = rng.uniform(0, side, (n, 3))
    points[:, axis] = offset + rng.normal(0, noise, n)
    return points, np.tile(np.eye(3)[axis], (n, 1))


@pytest.fixture
def corner():
    """Three perpendicular walls of 3000 points: coord, normal, and the wall of every point."""
    rng = np.random.default_rng(4)
    walls = [patch(rng, 3000, axis) for axis in range(3)]
    coord, normal = (np.concatenate(arrays) for arrays in zip(*walls, strict=True))
    return coord, normal, np.repeat(range(3), 3000)


@pytest.fixture
def room():
    """Three walls that meet, a ball before them and loose points: coord, normal, color."""
    rng = np.random.default_rng(3)
    ball = rng.normal(size=(150, 3))
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    loose = rng.uniform(0.1, 2, (40, 3)), rng.normal(size=(40, 3))
    parts = [*(patch(rng, 400, axis) for axis in range(3)), (1.2 + 0.4 * ball, ball), loose]
    coord, normal = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    normal += rng.normal(0, 0.05, normal.shape)
    normal *= rng.choice([-1, 1], (len(normal), 1))
    color = rng.uniform(0, 1, (len(parts), 3))[np.repeat(range(5), [len(p[0]) for p in parts])]
    return coord, normal, np.clip(color + rng.normal(0, 0.05, color.shape), 0, 1)


def run(coord, normal=None, color=None, method="supervoxel", **settings):
    return partition(coord, normal, color, method, **settings)


# --- the rule, spelt out ------------------------------------------------------------------------


def axis_by_numpy(normals):
    return np.linalg.eigh(normals.T @ normals)[1][:, 2]


class Oracle:
    """Supervoxels of voxels, one voxel, offer and layer at a time."""

    def __init__(self, coord, normal, color, voxel_size, seed_spacing, weights):
        low = coord.min(axis=0) - voxel_size / 4
        cells = [tuple(c) for c in np.floor((coord - low) / voxel_size).astype(int)]
        self.voxels = sorted(set(cells))
        number = {cell: v for v, cell in enumerate(self.voxels)}
        self.voxel = np.array([number[c] for c in cells])
        members = [self.voxel == v for v in range(len(self.voxels))]
        self.feature = [
            (coord[m].mean(0) - low, lab(color[m].mean(0)), axis_by_numpy(normal[m]))
            for m in members
        ]
        around = [set(itertools.product(*((i - 1, i, i + 1) for i in a))) for a in self.voxels]
        self.near = [
            sorted(number[b] for b in cells if b in number and number[b] != v)
            for v, cells in enumerate(around)
        ]
        self.voxel_size, self.seed_spacing = voxel_size, seed_spacing
        self.weights = np.array(weights) / sum(weights)

    def distance(self, a, b, terms=(1, 1, 1)):
        """Squared, of two features, by some of its terms: color, space, normal."""
        off = np.linalg.norm(a[0] - b[0]) / self.seed_spacing
        all_terms = [((a[1] - b[1]) ** 2).sum(), off**2, (1 - abs(a[2] @ b[2])) ** 2]
        return round(float(self.weights * terms @ all_terms) * 2**32)

    def gradient(self, v):
        steps = [self.distance(self.feature[v], self.feature[j], (1, 0, 1)) for j in self.near[v]]
        return sum(steps) // len(steps) if steps else 0

    def seeds(self):
        low = np.min([f[0] for f in self.feature], axis=0)
        nearest = {}
        for v, (place, *_) in enumerate(self.feature):
            position = (place - low) / self.seed_spacing + CELL_SHIFT
            off = round(float(((position % 1 - 0.5) ** 2).sum()) * 1e7)
            cell = tuple(np.floor(position))
            nearest[cell] = min(nearest.get(cell, (off, v)), (off, v))
        radius = self.seed_spacing / 2
        needed = math.ceil(SEED_SHARE * math.pi * (radius / self.voxel_size) ** 2)
        placed = set()
        for _, v in nearest.values():
            reached, places = [v], [f[0] for f in self.feature]
            for i in reached:  # grows while it is walked
                reached += [
                    j for j in self.near[i]
                    if j not in reached and np.linalg.norm(places[j] - places[v]) <= radius
                ]  # fmt: skip
            if len(reached) >= needed:
                choice = [v, *sorted(self.near[v])]
                placed.add(min(choice, key=self.gradient))
        return sorted(placed)

    def flow(self, owner, best, centers, fix):
        front = list(owner)
        while front:
            offers = {}
            for i in front:
                for j in self.near[i]:
                    offer = (self.distance(self.feature[j], centers[owner[i]]), owner[i])
                    offers[j] = min(offers.get(j, offer), offer)
            front = []
            for j, offer in offers.items():
                if j not in owner or (best[j] is not None and offer < (best[j], owner[j])):
                    best[j], owner[j] = offer
                    front.append(j)
            if fix:
                best.update(dict.fromkeys(front))

    def part(self, v):
        """Voxels connected to v, and how many points they have."""
        part = [v]
        for i in part:  # grows while it is walked
            part += [j for j in self.near[i] if j not in part]
        return part, np.isin(self.voxel, part).sum()

    def cluster(self, rounds, min_size):
        seeds, owner = [v for v in self.seeds() if self.part(v)[1] >= min_size], {}
        centers = [self.feature[v] for v in seeds]
        for i in range(rounds):
            if i:
                groups = [[v for v in sorted(owner) if owner[v] == s] for s in range(len(seeds))]
                for s, group in enumerate(groups):
                    place, color, normal = (
                        np.array(x) for x in zip(*(self.feature[v] for v in group), strict=True)
                    )
                    centers[s] = (place.mean(0), color.mean(0), axis_by_numpy(normal))
                off = lambda v: self.distance(self.feature[v], centers[owner[v]], [0, 1, 0])  # noqa: E731, B023
                seeds = [min(group, key=off) for group in groups]
            owner = {v: s for s, v in enumerate(seeds)}
            best = dict.fromkeys(owner)  # None: fixed
            self.flow(owner, best, centers, fix=False)
        kept = list(seeds)
        for i in kept:
            kept += [j for j in self.near[i] if j not in kept and owner.get(j) == owner[i]]
        owner = {v: owner[v] for v in kept}
        self.flow(owner, dict.fromkeys(owner), centers, fix=True)
        return owner

    def partition(self, rounds, min_size):
        owner = self.cluster(rounds, min_size)
        for v in range(len(self.voxels)):
            if v not in owner:
                part, points = self.part(v)
                label = max(owner.values(), default=-1) + 1 if points >= min_size else -1
                owner.update(dict.fromkeys(part, label))
        return np.array([owner[v] for v in self.voxel])


@pytest.mark.parametrize(("weights", "rounds"), [((1, 0.1, 1), 3), ((0, 1, 0.5), 2)])
def test_agrees_with_the_rule_spelt_out(room, weights, rounds):
    coord, normal, color = room
    normal = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    oracle = Oracle(coord, normal, color, 0.12, 0.8, weights)
    expected = oracle.partition(rounds, min_size=3)
    settings = dict(zip(("color_weight", "distance_weight", "normal_weight"), weights, strict=True))
    region = run(
        coord, normal, color, voxel_size=0.12, seed_spacing=0.8, rounds=rounds, min_size=3,
        **settings,
    )  # fmt: skip
    np.testing.assert_array_equal(region, expected)
    assert region.max() > 10 and (region < 0).any()


def lattice():
    """Points of a flat grid, where every distance occurs many times, up to rounding."""
    return 0.1 * np.stack(np.meshgrid(range(24), range(19), [0]), axis=-1).reshape(-1, 3)


def test_ties_go_by_the_rule_spelt_out():
    coord = lattice()
    normal, color = np.tile([0, 0, 1.0], (len(coord), 1)), np.full_like(coord, 0.5)
    expected = Oracle(coord, normal, color, 0.1, 0.8, (1, 0.1, 1)).partition(3, min_size=1)
    region = run(coord, normal, color, voxel_size=0.1, seed_spacing=0.8, rounds=3, min_size=1)
    np.testing.assert_array_equal(region, expected)


def planes_by_numpy(coord, owner, normal, near, max_distance, max_angle):
    """The rule of partition_supervoxel_growing over given supervoxels (M,)."""

    def fit(points):
        values, vectors = np.linalg.eigh(np.cov(points.T, bias=True))
        return points.mean(axis=0), vectors[:, 0], math.sqrt(max(values[0], 0))

    points = [coord[owner == s] for s in range(owner.max() + 1)]
    limit = max_distance * RMS_SHARE
    error = [
        fit(p)[2] / limit / math.sqrt(len(p)) if len(p) >= MIN_POINTS else math.inf for p in points
    ]
    region, count = np.full(len(points), -1), 0
    for seed in np.argsort(error, kind="stable"):
        if region[seed] >= 0:
            continue
        region[seed], members, fitted = count, [seed], len(points[seed])
        center, direction, rms = fit(points[seed])
        starts = rms <= limit and fitted >= MIN_POINTS
        for i in members if starts else []:  # grows while it is walked
            for j in near[i]:
                angle = math.degrees(math.acos(min(1.0, abs(normal[j] @ direction))))
                off = math.sqrt((((points[j] - center) @ direction) ** 2).mean())
                if region[j] >= 0 or angle > max_angle or off > limit:
                    continue
                region[j] = count
                members.append(j)
                size = sum(len(points[m]) for m in members)
                if size >= fitted * REFIT_GROWTH:
                    fitted = size
                    center, direction, _ = fit(np.concatenate([points[m] for m in members]))
        count += 1
    return np.append(region, -1)[owner]


@pytest.mark.parametrize(("max_distance", "max_angle"), [(0.02, 20.0), (0.2, 5.0)])
def test_growing_agrees_with_the_rule_spelt_out(room, max_distance, max_angle):
    coord, normal, color = room
    cloud = Cloud(coord, normal, color)
    sizes = {"voxel_size": 0.12, "seed_spacing": 0.4}
    owner = regions_of("supervoxel", cloud, **sizes)
    elements = elements_of(cloud, SupervoxelSettings(**sizes))
    voxel_owner = np.zeros(len(elements.table), int)
    voxel_owner[elements.index] = owner
    near = [set() for _ in range(owner.max() + 1)]
    for row in elements.table:
        for a, b in itertools.combinations(set(voxel_owner[row[row >= 0]]) - {-1}, 2):
            if voxel_owner[row[0]] in (a, b):
                near[a].add(b), near[b].add(a)
    near = [sorted(n) for n in near]
    mean = [axis_by_numpy(elements.feature[voxel_owner == s, 6:]) for s in range(len(near))]
    expected = planes_by_numpy(cloud.coord, owner, mean, near, max_distance, max_angle)
    settings = {"max_distance": max_distance, "max_angle": max_angle}
    region = regions_of("supervoxel+growing", cloud, **sizes, **settings)
    np.testing.assert_array_equal(region, expected)
    assert 3 < region.max() < owner.max() - 10


@pytest.mark.parametrize(
    ("color", "expected"),
    [
        ((1, 1, 1), (1, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((1, 0, 0), (0.5324, 0.8009, 0.6720)),
        ((0, 0, 1), (0.3230, 0.7919, -1.0786)),
        ((0.5, 0.5, 0.5), (0.5339, 0, 0)),
    ],
)
def test_lab(color, expected):
    np.testing.assert_allclose(lab(np.array(color, float)), expected, atol=2e-3)


# --- properties ---------------------------------------------------------------------------------


def check_connected(elements, region):
    """Ids are contiguous, and what has one id is connected in the table of the elements."""
    assert set(np.unique(region)) - {-1} == set(range(region.max() + 1))
    of = np.zeros(len(elements.table), int)
    of[elements.index] = region
    np.testing.assert_array_equal(of[elements.index], region)  # no element is divided
    i, column = np.nonzero(elements.table >= 0)
    j = elements.table[i, column]
    inside = of[i] == of[j]
    graph = coo_matrix((np.ones(inside.sum()), (i[inside], j[inside])), (len(of), len(of)))
    _, part = connected_components(graph)
    assert len(np.unique(part[of >= 0])) == region.max() + 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("color_weight", [0.0, 50.0])
def test_regions_are_contiguous_and_connected(room, method, color_weight):
    cloud = Cloud(*room)
    sizes = {"voxel_size": 0.1, "seed_spacing": 0.5}
    region = regions_of(method, cloud, **sizes, color_weight=color_weight)
    check_connected(elements_of(cloud, SupervoxelSettings(**sizes)), region)
    assert region.max() > 20


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sizes", [{}, {"voxel_size": 0.1, "seed_spacing": 0.5}])
def test_order_sign_place_and_repetition_do_not_matter(room, method, sizes):
    coord, normal, color = room
    expected = run(coord, normal, color, method, **sizes)
    rng = np.random.default_rng(1)
    order = rng.permutation(len(coord))
    flip = rng.choice([-1.0, 1.0], (len(coord), 1))
    mixed = run(coord[order], (normal * flip)[order], color[order], method, **sizes)
    np.testing.assert_array_equal(mixed, expected[order])  # ids are the same, too
    moved = run(coord + np.array([-7.3, 120.1, 3.7]), normal, color, method, **sizes)
    np.testing.assert_array_equal(moved, expected)
    twice = (np.concatenate([x, x]) for x in room)
    np.testing.assert_array_equal(run(*twice, method, **sizes), np.tile(expected, 2))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sizes", [{}, {"voxel_size": 0.1, "seed_spacing": 0.5}])
def test_scale_does_not_matter(room, method, sizes):
    coord, normal, color = room
    sizes = sizes if method == "supervoxel" else {**sizes, "max_distance": 0.03}
    scaled = {name: size * 100 / 3 for name, size in sizes.items()}
    region = run(coord * 100 / 3, normal, color, method, **scaled)
    np.testing.assert_array_equal(region, run(coord, normal, color, method, **sizes))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sizes", [{}, {"voxel_size": 0.1, "seed_spacing": 0.8, "rounds": 1}])
def test_a_lattice_full_of_ties_may_be_shuffled_and_moved(method, sizes):
    coord = lattice()
    normal = np.tile([0, 0, 1.0], (len(coord), 1))
    expected = run(coord, normal, method=method, **sizes)
    order = np.random.default_rng(0).permutation(len(coord))
    shift = np.array([12345.67, -98765.4, 1e4])
    moved = run(coord[order] + shift, normal[order], method=method, **sizes)
    np.testing.assert_array_equal(moved, expected[order])
    if method == "supervoxel":
        assert 2 <= expected.max() < 40


def test_regions_end_where_a_picture_on_the_wall_does():
    rng = np.random.default_rng(6)
    coord, normal = patch(rng, 6000, 0)
    picture = (np.abs(coord[:, 1:] - [0.93, 1.11]) < [0.37, 0.22]).all(axis=1)
    color = np.where(picture[:, None], [0.7, 0.3, 0.2], [0.8, 0.8, 0.75])
    color = color + rng.normal(0, 0.02, color.shape)
    share = {}
    for name, given in {"color": color, "none": None}.items():
        region = run(coord, normal, given, voxel_size=0.04, seed_spacing=0.35)
        inside = np.bincount(region, picture) / np.bincount(region)
        share[name] = np.minimum(inside, 1 - inside)[region].mean()  # points on the wrong side
    # A few points share a voxel with the other side; the picture is a tenth of the wall.
    assert share["color"] < 0.012 and share["none"] > 3 * share["color"]


def test_growing_makes_whole_walls_and_leaves_clutter(corner):
    coord, normal, wall = corner
    rng = np.random.default_rng(0)
    ball = rng.normal(size=(1500, 3))
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    coord, normal = np.concatenate([coord, 1.2 + 0.4 * ball]), np.concatenate([normal, ball])
    sizes = {"voxel_size": 0.06, "seed_spacing": 0.25}
    patches = run(coord, normal, **sizes)
    region = run(coord, normal, method="supervoxel+growing", **sizes, max_distance=0.02)
    largest = [np.bincount(region[:9000][wall == w] + 1)[1:] for w in range(3)]
    assert (
        min(count.max() for count in largest) > 2500
    )  # of 3000; at edges, voxels have points of two walls
    assert len({count.argmax() for count in largest}) == 3
    assert len(set(region[9000:])) > 0.6 * len(set(patches[9000:]))
    pairs = np.unique(np.stack([patches, region]), axis=1)
    assert pairs.shape[1] == len(np.unique(patches))  # regions are unions of supervoxels


@pytest.mark.parametrize("method", METHODS)
def test_stray_points_stay_unassigned_unless_they_are_enough(method):
    rng = np.random.default_rng(2)
    stray = 9.0 + rng.normal(0, 1e-4, (3, 3))
    coord = np.concatenate([patch(rng, 2000, 2)[0], stray])
    settings = {"voxel_size": 0.12}
    region = run(coord, method=method, **settings)
    assert (region[:2000] >= 0).all() and (region[2000:] == -1).all()
    region = run(coord, method=method, **settings, min_size=3)
    assert (region[2000:] == region.max()).all() and (region[:2000] < region.max()).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"voxel_size": 0}, "voxel_size is 0;"),
        ({"seed_spacing": -1.0}, "seed_spacing is -1.0"),
        ({"voxel_size": 0.2, "seed_spacing": 0.1}, "voxel_size of 0.2"),
        ({"voxel_size": 1e-9, "seed_spacing": 1.0}, "voxel_size"),
        ({"color_weight": -0.1}, "color_weight is -0.1"),
        ({"color_weight": 0, "distance_weight": 0, "normal_weight": 0}, "all 0"),
        ({"rounds": 0}, "rounds is 0"),
        ({"max_distance": 0.0}, "max_distance is 0.0"),
        ({"max_angle": 91.0}, "max_angle is 91.0"),
    ],
)
def test_bad_settings(room, settings, message):
    with pytest.raises(ValueError, match=message):
        run(*room, "supervoxel+growing", **settings)


# --- views --------------------------------------------------------------------------------------


@pytest.fixture
def view():
    """A box 1.5 m ahead of a wall at 2 m, left half of the wall blue: depth, intrinsic, color."""
    intrinsic = np.array([[90.0, 0, 47.5], [0, 90, 35.5], [0, 0, 1]])
    depth = np.full((72, 96), 2.0)
    depth[20:50, 30:70] = 1.5
    depth[:, 90:] = 0  # invalid
    color = np.full((72, 96, 3), 0.7)
    color[:, :48] = [0.2, 0.3, 0.8]
    color[20:50, 30:70] = 0.7
    return depth, intrinsic, color


@pytest.mark.parametrize("method", METHODS)
def test_view_regions_stop_at_depth_edges(view, method):
    depth, intrinsic, color = view
    cloud = DepthView(depth, intrinsic, color)
    rows = regions_of(method, cloud)
    check_connected(elements_of(cloud, SupervoxelSettings()), rows)
    region = cloud.spread(rows)
    assert ((region >= 0) == (depth > 0)).all()
    assert not set(region[depth == 1.5]) & set(region[depth == 2.0])


def test_view_supervoxels_end_at_color_edges(view):
    depth, intrinsic, color = view
    cloud = DepthView(depth, intrinsic, color)
    rows = regions_of("supervoxel", cloud)
    blue = cloud.color[:, 2] > 0.75
    assert 20 < rows.max() < 300
    assert not set(rows[blue]) & set(rows[~blue])


def test_view_supervoxels_have_pixels_enough_where_they_are_sparse(monkeypatch):
    """A floor that recedes from 1 m to 12 m, where pixels are 12 times as large."""
    intrinsic = np.array([[90.0, 0, 47.5], [0, 90, 0], [0, 0, 1]])
    depth = np.tile(90 / np.linspace(90, 7.5, 72)[:, None], (1, 96))
    cloud = DepthView(depth, intrinsic, depth_noise=0.0)

    def pixels(row):
        region = cloud.spread(regions_of("supervoxel", cloud, seed_spacing=0.12))
        assert (region >= 0).mean() > 0.99
        return np.median(np.bincount(region[region >= 0])[np.unique(region[row])])

    near = pixels(5)
    assert pixels(60) >= 12
    monkeypatch.setattr(supervoxel_elements, "MIN_SEED_PIXELS", 0.0)
    assert pixels(60) < 12 and pixels(5) == near
