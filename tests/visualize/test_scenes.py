"""Figures of scenes: what is seen of points, and in which colors."""

import numpy as np
import pytest
from PIL import Image

from pointcept_wsegpc.contracts.classes import IGNORE, ClassTable
from pointcept_wsegpc.visualize import scenes as pictures
from pointcept_wsegpc.visualize.colors import NO_LABEL, label_colors

SCANNET20 = ClassTable.shipped("scannet20")


def square(height, normal, count=40):
    """Points and normals of a horizontal 1 m square."""
    x, y = np.meshgrid(*[np.linspace(0, 1, count)] * 2)
    coord = np.stack([x.ravel(), y.ravel(), np.full(x.size, height)], 1)
    return coord, np.broadcast_to(np.array(normal, float), coord.shape)


def test_nearer_surface_covers_the_farther():
    below, up = square(0, (0, 0, 1))
    above, _ = square(0.01, (0, 0, 1))
    shown = pictures.visible_points(np.concatenate([above, below]), np.concatenate([up, up]))
    seen = shown[shown >= 0]
    assert seen.size > shown.size / 10
    assert (seen < len(above)).mean() > 0.9


def test_surface_seen_from_behind_is_left_out():
    ceiling, down = square(2, (0, 0, -1))
    floor, up = square(0, (0, 0, 1))
    shown = pictures.visible_points(np.concatenate([ceiling, floor]), np.concatenate([down, up]))
    assert (shown[shown >= 0] >= len(ceiling)).all()


def test_flat_surface_has_no_holes():
    coord, normal = square(0, (0, 0, 1))
    shown = pictures.visible_points(coord, normal)
    inside = shown[:, shown.shape[1] // 2] >= 0
    rows = np.flatnonzero(inside)
    assert inside[rows[0] : rows[-1]].all()


@pytest.mark.parametrize("count", [0, 1])
def test_picture_of_few_points(count):
    coord = np.zeros((count, 3))
    shown = pictures.visible_points(coord, np.tile([0.0, 0, 1], (count, 1)))
    picture = pictures.paint(shown, np.zeros((count, 3), np.uint8))
    assert picture.shape == (*pictures.PANEL, 3)
    assert (picture.min() == 0) == (count > 0)


def test_paint_puts_each_points_color_where_it_shows():
    shown = np.full((4, 4), -1)
    shown[:2, :2], shown[2:, 2:] = 0, 1
    picture = pictures.paint(shown, np.array([[200, 0, 0], [0, 100, 0]], np.uint8))
    white = [255, 255, 255]
    assert picture.tolist() == [[[200, 0, 0], white], [white, [0, 100, 0]]]


def test_label_colors_are_distinct_and_end_with_ignore():
    for names in (SCANNET20, ClassTable(list("abcdefghijklm"))):
        colors = label_colors(names)
        assert len(np.unique(colors, axis=0)) == len(names) + 1
        assert tuple(colors[IGNORE]) == NO_LABEL


def test_draw_scenes_writes_a_picture_with_unlabeled_points(tmp_path):
    coord, normal = square(0, (0, 0, 1))
    truth = np.zeros(len(coord), int)
    labels = {"ground truth": truth, "stage two": np.where(coord[:, 0] < 0.5, IGNORE, 0)}
    color = np.full((len(coord), 3), 90, np.uint8)
    rows = [pictures.SceneRow(name, coord, normal, color, labels, ("floor",)) for name in "a"]
    pictures.draw_scenes(tmp_path / "new" / "a.png", rows, SCANNET20)
    with Image.open(tmp_path / "new" / "a.png") as image:
        drawn = {tuple(pixel) for pixel in np.asarray(image.convert("RGB")).reshape(-1, 3)}
    shaded = pictures.shade(label_colors(SCANNET20)[[0, IGNORE]], normal[:2])
    assert {(90, 90, 90), *map(tuple, shaded)} <= drawn
