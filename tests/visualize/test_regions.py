"""Colors of regions and the grid of panels. Images H x W, R regions."""

import itertools

import numpy as np
import pytest
import raw_scan
from PIL import Image

from pointcept_wsegpc.visualize.grid import GAP, PANEL, TITLE, draw_grid
from pointcept_wsegpc.visualize.regions import (
    CLEARLY_DIFFERENT,
    UNASSIGNED,
    Scene,
    draw_report,
    region_colors,
    regions_beside,
)


def mosaic(seed, size=80, cells=60):
    """Ids (H,W) of the nearest of some places, with a gap of unassigned pixels."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, size, (cells, 2))
    pixel = np.stack(np.indices((size, size)), -1)
    ids = np.linalg.norm(pixel[:, :, None] - places, axis=-1).argmin(-1)
    ids[:, size // 2] = -1
    return ids


@pytest.mark.parametrize("seed", range(2))
def test_regions_side_by_side_look_different(seed):
    ids = mosaic(seed)
    colors = region_colors(ids).astype(int)
    assert colors.shape == (61, 3) and tuple(colors[-1]) == UNASSIGNED
    for a, b in ((ids[1:], ids[:-1]), (ids[:, 1:], ids[:, :-1])):
        differ = (a != b) & (a >= 0) & (b >= 0)
        distance = np.linalg.norm(colors[a[differ]] - colors[b[differ]], axis=-1)
        assert distance.min() >= CLEARLY_DIFFERENT - 40
    assert len(np.unique(colors[:-1], axis=0)) > 10
    assert (region_colors(ids.copy()) == colors).all()
    assert np.abs(colors[:-1] - UNASSIGNED).sum(1).min() > 100


def test_beside_against_loop():
    ids = mosaic(0, size=20, cells=9)
    expected = [set() for _ in range(9)]
    for shift in (1, 6):
        for i in range(20):
            for j in range(20):
                for k, m in ((i + shift, j), (i, j + shift)):
                    if k < 20 and m < 20 and -1 not in (pair := (ids[i, j], ids[k, m])):
                        expected[pair[0]].add(pair[1])
                        expected[pair[1]].add(pair[0])
    found = regions_beside(ids, 9)
    assert [set(f.tolist()) for f in found] == [e - {i} for i, e in enumerate(expected)]


def test_beside_among_more_regions_than_the_root_of_an_integer():
    count = 60_000
    ids = np.array([[count - 1, count - 2, -1, 0]], np.int32)
    beside = regions_beside(ids, count)
    assert len(beside) == count
    found = {i: b.tolist() for i, b in enumerate(beside) if len(b)}
    assert found == {count - 2: [count - 1], count - 1: [count - 2]}


@pytest.mark.parametrize("ids", [np.full((3, 4), -1), np.full((3, 4), 0), np.full((3, 4), 3)])
def test_few_regions(ids):
    colors = region_colors(ids)
    assert len(colors) == ids.max() + 2 and tuple(colors[-1]) == UNASSIGNED


def test_scene_is_drawn_whatever_its_points():
    rng = np.random.default_rng(0)
    coord = rng.uniform(0, 3, (500, 3)).astype(np.float32)
    coord[:, 2] = 0
    coord[7], coord[9, 1] = np.nan, np.inf
    normal = np.tile([0, 0, 1.0], (500, 1))
    normal[3] = np.nan
    scene = Scene(coord, normal)
    region = np.where(coord[:, 0] > 1.5, 1, -1)
    region[:5] = 10**6  # ids need not be contiguous, or seen
    image = scene.in_regions(region)
    assert image.shape == (*PANEL, 3)
    assert (image <= UNASSIGNED).all(-1).mean() > 0.05  # shaded
    colors = np.full((500, 3), (10, 200, 30), np.uint8)
    assert (scene.in_colors(colors) == (10, 200, 30)).all(-1).mean() > 0.1
    for n in (0, 1):  # no point, and one that is NaN
        nothing = Scene(coord[7 : 7 + n], normal[:n])
        assert (nothing.in_regions(np.zeros(n, int)) == 255).all()


def test_a_scene_without_normals_and_colors_is_gray():
    coord, surface, _ = raw_scan.room()
    coord[5] = np.nan
    floor = surface[:, None] == raw_scan.FLOOR
    scene, given = Scene(coord), Scene(coord, np.where(floor, [0, 0, 1.0], [0, -1.0, 0]))
    gray = scene.in_colors(None)
    different = (gray != given.in_colors(None)).any(-1)
    assert different.mean() < 0.05  # along the edge, and by rounding
    drawn = (gray < 250).all(-1)
    assert drawn.mean() > 0.2 and np.ptp(gray[drawn].astype(int), axis=-1).max() == 0
    red = np.tile([255, 0, 51], (len(coord), 1))
    for color in (red.astype(np.uint8), red / 255):
        image = scene.in_colors(color)[drawn]  # mixed with white along the edges
        assert (image == red[0]).all(axis=1).mean() > 0.9


def test_grid_and_its_text(tmp_path):
    panel = np.zeros((*PANEL, 3), np.uint8)
    title = "max_angle=10: 143 regions, 3 % unassigned, largest 31 %, quality 0.83, and more words"
    rows = [[(panel, title), (panel, "b")], [(panel, "c")]]
    legend = [(f"class {i}", (255, 0, 0)) for i in range(30)]
    draw_grid(tmp_path / "a.png", rows, legend)
    draw_grid(tmp_path / "b.png", rows)
    with Image.open(tmp_path / "a.png") as a, Image.open(tmp_path / "b.png") as b:
        height = 2 * (PANEL[0] + TITLE + GAP) + GAP
        assert a.size > b.size == (2 * (PANEL[1] + GAP) + GAP, height)
        image = np.asarray(a.convert("RGB"))
    white = (image == 255).all(-1)
    assert white[:, :4].all() and white[:, -4:].all() and white[-4:].all() and white[:4].all()
    assert not white[b.height :].all()


def test_rows_of_a_report(prepared_root, tmp_path):
    scenes = sorted(prepared_root.glob("*/scene*"))[:2]
    draw_report(tmp_path / "a.png", {s.name: (s, "regions") for s in scenes})
    with Image.open(tmp_path / "a.png") as image:
        image = np.asarray(image.convert("RGB"))
    height, width = PANEL[0] + TITLE + GAP, PANEL[1] + GAP
    assert image.shape[1] == 5 * width + GAP and image.shape[0] > 2 * height + GAP
    for row in range(2):  # colors, regions, labels, a view and its regions, all different
        top = GAP + TITLE + row * height
        panels = [
            image[top : top + PANEL[0], GAP + i * width : GAP + i * width + PANEL[1]].astype(int)
            for i in range(5)
        ]
        assert min(panel.std() for panel in panels) > 20
        for a, b in itertools.combinations(panels, 2):
            assert np.abs(a - b).mean() > 5
    legend = image[2 * height + GAP :]
    assert len(np.unique(legend[legend.min(-1) < 240], axis=0)) > 5
