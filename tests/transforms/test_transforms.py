"""Views, voxels, color, structure removal and mixing, against slow versions."""

import numpy as np
import pytest
import reference
from pointcept.datasets.transform import TRANSFORMS

from pointcept_wsegpc.transforms.images import LUMA, jitter_image, jitter_matrix, sample_jitter
from pointcept_wsegpc.transforms.registered import HueSaturation
from pointcept_wsegpc.transforms.scenes import remove_structure, scatter_scenes, structure_regions
from pointcept_wsegpc.transforms.views import point_features, sample_views

# ------------------------------------------------------------------------------- views


@pytest.mark.parametrize(("frames", "views"), [(60, 6), (61, 6), (7, 6), (6, 6), (100, 1)])
def test_one_view_from_each_part(frames, views):
    edges = np.linspace(0, frames, views + 1)
    seen = set()
    for seed in range(200):
        chosen = sample_views(frames, views, np.random.default_rng(seed))
        assert chosen.shape == (views,) and chosen.dtype == np.int64
        assert (chosen >= np.floor(edges[:-1])).all() and (chosen < edges[1:]).all()
        seen.update(chosen.tolist())
    if frames == 60:
        assert seen == set(range(60))  # every frame can be drawn


def test_without_a_generator_the_middle_of_each_part():
    assert sample_views(60, 6).tolist() == [5, 15, 25, 35, 45, 55]
    assert sample_views(3, 3).tolist() == [0, 1, 2]


def test_few_frames_repeat():
    for rng in (None, np.random.default_rng(0)):
        chosen = sample_views(2, 6, rng)
        assert set(chosen.tolist()) == {0, 1} and (np.diff(chosen) >= 0).all()
        assert sample_views(1, 6, rng).tolist() == [0] * 6
    assert sample_views(5, 0).tolist() == sample_views(0, 6).tolist() == []


def test_point_features():
    color, normal = np.array([[0, 127.5, 255]]), np.array([[0, -1, 0.5]])
    points = {"color": color, "normal": normal, "strength": np.array([0.3], np.float16)}
    feat = point_features(points, ("color", "normal"))
    assert feat.dtype == np.float32
    np.testing.assert_array_equal(feat, [[-1, 0, 1, 0, -1, 0.5]])
    feat = point_features(points, ("strength", "normal"))
    np.testing.assert_array_equal(feat, [[np.float16(0.3), 0, -1, 0.5]])


# ------------------------------------------------------------------------------ color


def slow_jitter(pixel, mean, brightness, contrast, saturation, hue):
    """One step after another, as the image programs define them. RGB in 0..1, not clipped."""

    def luma(rgb):
        return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]

    gray_of_image = luma([c * brightness for c in mean])
    pixel = [c * brightness for c in pixel]
    pixel = [contrast * c + (1 - contrast) * gray_of_image for c in pixel]
    gray = luma(pixel)
    pixel = [saturation * c + (1 - saturation) * gray for c in pixel]
    to_yiq = np.array(
        [[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]]
    )
    y, i, q = to_yiq @ pixel
    chroma = (i + 1j * q) * np.exp(2j * np.pi * hue)
    return np.linalg.solve(to_yiq, [y, chroma.real, chroma.imag])


JITTERS = [
    (1, 1, 1, 0),
    (1.3, 1, 1, 0),
    (1, 0.4, 1, 0),
    (1, 1, 1.7, 0),
    (1, 1, 1, 0.2),
    (0.8, 1.2, 0.5, -0.1),
    (0, 1, 1, 0),
]


@pytest.mark.parametrize("jitter", JITTERS)
def test_jitter_matrix_against_its_steps(jitter):
    pixels = np.random.default_rng(0).random((20, 3))
    matrix, offset = jitter_matrix(pixels.mean(0), *jitter)
    expected = [slow_jitter(pixel, pixels.mean(0), *jitter) for pixel in pixels]
    np.testing.assert_allclose(pixels @ matrix.T + offset, expected, atol=1e-12)


def test_jitter_keeps_what_it_should():
    pixels = np.random.default_rng(0).random((50, 3))
    mean = pixels.mean(0)
    matrix, offset = jitter_matrix(mean, 1, 1, 1, 0)
    np.testing.assert_allclose(matrix, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(offset, 0, atol=1e-12)
    for jitter in ((1, 1, 0.3, 0), (1, 1, 1, 0.4)):  # saturation and hue keep the luma
        matrix, offset = jitter_matrix(mean, *jitter)
        np.testing.assert_allclose((pixels @ matrix.T + offset) @ LUMA, pixels @ LUMA, atol=1e-3)
    matrix, offset = jitter_matrix(mean, 1, 1, 1, 1)  # a whole turn
    np.testing.assert_allclose(matrix, np.eye(3), atol=1e-12)
    matrix, offset = jitter_matrix(mean, 1, 1, 0, 0.37)  # gray has no hue
    np.testing.assert_allclose(np.ptp(pixels @ matrix.T + offset, axis=1), 0, atol=1e-3)


def test_sampled_jitter_covers_its_range():
    strength = (0.3, 0, 0, 0)
    factors = [
        sample_jitter(strength, np.ones(3), np.random.default_rng(s))[0][0, 0] for s in range(300)
    ]
    assert 0.7 <= min(factors) < 0.72 and 1.28 < max(factors) <= 1.3
    strong = [sample_jitter((2, 0, 0, 0), np.ones(3), np.random.default_rng(s)) for s in range(50)]
    assert min(matrix[0, 0] for matrix, _ in strong) >= 0  # no negative brightness


def image():
    return np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def test_an_image_without_jitter_is_scaled():
    result = jitter_image(image())
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, (image() / 255).reshape(-1, 3), atol=1e-6)


def test_an_image_is_jittered_and_clipped():
    strength, rng = (0.9, 0.3, 0.3, 0.1), np.random.default_rng(5)
    given, clipped = image(), 0
    results = [jitter_image(given, strength, rng) for _ in range(3)]
    assert not np.array_equal(results[0], results[1])
    rng = np.random.default_rng(5)
    for result in results:
        pixels = image().reshape(-1, 3) / 255
        matrix, offset = sample_jitter(strength, pixels.mean(0), rng)
        jittered = pixels @ matrix.T + offset
        clipped += (jittered != jittered.clip(0, 1)).sum()
        np.testing.assert_allclose(result, jittered.clip(0, 1), atol=1e-5)
    assert clipped > 0
    np.testing.assert_array_equal(given, image())  # the input stays


def test_hue_and_saturation_of_points():
    color = np.random.default_rng(0).uniform(60, 180, (200, 3)).astype(np.float32)
    transform = TRANSFORMS.build(
        {"type": "WSegPCHueSaturation", "hue_max": 0.1, "saturation_max": 0.2}
    )
    results = []
    for seed in (0, 0, 1):
        np.random.seed(seed)
        results.append(transform({"color": color.copy(), "normal": None})["color"])
    assert np.array_equal(results[0], results[1]) and not np.array_equal(results[0], results[2])
    assert results[0].dtype == np.float32
    np.testing.assert_allclose(results[0] @ LUMA, color @ LUMA, atol=0.5)
    still = HueSaturation(hue_max=0, saturation_max=0)({"color": color.copy()})["color"]
    np.testing.assert_allclose(still, color, atol=1e-3)
    wild = HueSaturation(0.5, 5)({"color": np.float32([[255, 0, 0], [0, 0, 255]])})["color"]
    assert wild.min() >= 0 and wild.max() <= 255
    assert HueSaturation()({"coord": color}).keys() == {"coord"}


# --------------------------------------------------------------------------- structure

FLOOR, CEILING, WEST, EAST, SOUTH, NORTH, TABLE = range(7)


def room(rng=None):
    """A box of 4 x 3 x 2.5 m, its six sides one region each, a table, and loose points (-1)."""
    rng = rng or np.random.default_rng(0)

    def points(region, count, low, high):
        return rng.uniform(low, high, (count, 3)), np.full(count, region)

    parts = [
        points(FLOOR, 300, (0, 0, 0), (4, 3, 0.01)),
        points(CEILING, 300, (0, 0, 2.49), (4, 3, 2.5)),
        points(WEST, 400, (0, 0, 0), (0.01, 3, 2.5)),
        points(EAST, 400, (3.99, 0, 0), (4, 3, 2.5)),
        points(SOUTH, 400, (0, 0, 0), (4, 0.01, 2.5)),
        points(NORTH, 400, (0, 2.99, 0), (4, 3, 2.5)),
        points(TABLE, 900, (1.5, 1, 0.8), (2.5, 2, 1.2)),  # the largest, but at no side
        points(-1, 2000, (0, 0, 0), (4, 3, 2.5)),
    ]
    coord, region = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = rng.permutation(len(coord))
    return coord[order].astype(np.float32), region[order].astype(np.int32)


SIDES = {"ground": [FLOOR], "ceiling": [CEILING], "wall": [WEST, EAST, SOUTH, NORTH]}


@pytest.mark.parametrize("role", SIDES)
def test_structure_of_each_side(role):
    assert structure_regions(*room(), role) == SIDES[role]


@pytest.mark.parametrize(("regions", "is_found"), [(2, {True}), (6, {True, False}), (40, {False})])
def test_structure_against_a_loop(regions, is_found):
    rng = np.random.default_rng(regions)
    sides = {"ground": [(2, 1)], "ceiling": [(2, -1)], "wall": [(0, 1), (0, -1), (1, 1), (1, -1)]}
    outcomes = set()
    for _ in range(10):
        coord = rng.uniform(-3, 2, (200, 3)).astype(np.float32)
        region = rng.integers(-1, regions, 200)
        for role, ends in sides.items():
            found = [reference.side_region(coord, region, *end) for end in ends]
            expected = sorted({best for best, _, _ in found})
            if sum(held for _, held, _ in found) < 0.2 * sum(total for _, _, total in found):
                expected = []
            assert structure_regions(coord, region, role, min_share=0.2) == expected
            outcomes.add(bool(expected))
    assert outcomes == is_found


@pytest.mark.parametrize("role", SIDES)
def test_pieces_of_a_structure_are_none(role):
    """Of a floor in thirty pieces one would go, and its tag with it."""
    coord, region = room()
    pieces = 30 * region + np.arange(len(region)) % 30
    assert structure_regions(coord, np.where(region < 0, -1, pieces), role) == []
    halves = 2 * region + np.arange(len(region)) % 2
    assert len(structure_regions(coord, np.where(region < 0, -1, halves), role)) == len(SIDES[role])


@pytest.mark.parametrize("role", SIDES)
def test_removal_takes_the_regions_and_the_tags_of_a_role(role):
    coord, region = room()
    tags = np.ones(4, np.float32)
    structures = {role: ([0, 2], 1.0)}
    keep, left = remove_structure(coord, region, tags, structures, np.random.default_rng(0))
    np.testing.assert_array_equal(keep, ~np.isin(region, SIDES[role]))
    assert left.tolist() == [0, 1, 0, 1] and tags.tolist() == [1] * 4


def test_removal_of_several_structures():
    coord, region = room()
    structures = {"ground": ([0], 1.0), "ceiling": ([1], 1.0), "wall": ([2], 1.0)}
    keep, tags = remove_structure(coord, region, np.ones(3), structures, np.random.default_rng(0))
    assert set(region[keep]) == {-1, TABLE} and tags.tolist() == [0, 0, 0]


def test_removal_follows_its_probability():
    coord, region = room()
    structures = {"ground": ([0], 0.5), "wall": ([1], 0.0), "ceiling": ([2], 0.1)}
    removed = np.zeros(3)
    for seed in range(400):
        rng = np.random.default_rng(seed)
        keep, tags = remove_structure(coord, region, np.ones(3), structures, rng)
        removed += 1 - tags
        for index, role in enumerate(("ground", "wall", "ceiling")):
            gone = not np.isin(SIDES[role], region[keep]).any()
            assert gone == (tags[index] == 0)
    assert removed[1] == 0
    np.testing.assert_allclose(removed[[0, 2]] / 400, [0.5, 0.1], atol=0.07)


def test_a_structure_that_is_not_found_keeps_its_tag():
    coord, region = room()
    nothing = np.full_like(region, -1)
    rng = np.random.default_rng(0)
    keep, tags = remove_structure(coord, nothing, np.ones(1), {"wall": ([0], 1.0)}, rng)
    assert keep.all() and tags.tolist() == [1]
    assert structure_regions(coord, nothing, "ground") == []


def test_what_would_leave_nothing_stays():
    coord, region = room()
    rng = np.random.default_rng(0)
    keep, tags = remove_structure(coord, region * 0, np.ones(1), {"ground": ([0], 1.0)}, rng)
    assert keep.all() and tags.tolist() == [1]
    empty = np.zeros((0, 3)), np.zeros(0, np.int32)
    keep, tags = remove_structure(*empty, np.ones(1), {"ground": ([0], 1.0)}, rng)
    assert keep.shape == (0,) and tags.tolist() == [1]


def test_an_unknown_role_is_an_error():
    with pytest.raises(ValueError, match="role is 'door'; expected one of"):
        structure_regions(*room(), "door")


# ------------------------------------------------------------------------------- mixing


def test_scattered_scenes_overlap_and_keep_their_shape():
    rng = np.random.default_rng(0)
    coords = [rng.uniform(10, 14, (100, 3)).astype(np.float32), rng.normal(-50, 1, (80, 3))]
    for seed in range(20):
        moved = scatter_scenes(coords, np.random.default_rng(seed))
        for before, after in zip(coords, moved, strict=True):
            assert after.dtype == np.float32
            np.testing.assert_allclose(after - after[0], before - before[0], atol=1e-4)
            extent = np.ptp(before, axis=0)
            assert (abs(after.mean(0)) <= 0.75 * extent).all()  # at most half of it from the middle
        low, high = moved[1].min(0), moved[1].max(0)
        assert (moved[0].max(0) > low).all() and (moved[0].min(0) < high).all()


def test_one_scene_alone_is_not_moved():
    coord = np.random.default_rng(0).random((5, 3))
    assert scatter_scenes([coord], np.random.default_rng(0))[0] is coord


def test_scale_color_is_what_stage_one_sees():
    from pointcept_wsegpc.transforms.registered import ScaleColor
    from pointcept_wsegpc.transforms.views import point_features

    color = np.array([[0, 127.5, 255]], np.float32)
    scaled = ScaleColor()({"color": color})["color"]
    np.testing.assert_allclose(scaled, [[-1, 0, 1]])
    np.testing.assert_allclose(scaled, point_features({"color": color}, ("color",)))


def test_displacement_along_the_normal():
    from pointcept_wsegpc.transforms.registered import ProjectDisplacement

    rng = np.random.default_rng(0)
    displacement, normal = rng.uniform(-0.5, 0.5, (2, 50, 3))
    data = {"displacement": displacement, "normal": normal, "coord": None}
    found = ProjectDisplacement()(dict(data))
    expected = [
        sum(d * n for d, n in zip(*pair, strict=True))
        for pair in zip(displacement, normal, strict=True)
    ]
    np.testing.assert_allclose(found["displacement"], np.array(expected)[:, None])
    assert found.keys() == data.keys() and found["normal"] is normal
