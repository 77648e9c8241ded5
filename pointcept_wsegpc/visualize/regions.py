"""Figures of partitions: scenes colored by region. N points, R regions, images H x W."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..clouds.clean import unit_range
from ..clouds.normals import estimate_normals, orient_normals
from ..contracts.scene import read_region
from ..contracts.views import read_view_image, read_views
from ..regions.scenes.inputs import class_table, read_inputs
from .colors import label_colors, legend_of
from .grid import draw_grid
from .scenes import paint, shade, visible_points

# As far apart as 20 colors of medium lightness and chroma can be, in CIELAB.
REGION_COLORS = np.frombuffer(
    bytes.fromhex(
        "5da5e4 d2e4a5 ffa581 d28af6 30c093 ffc91e 9c5d78 1e78ff ff811e 39786f "
        "ffc9f6 e43939 9cd227 1eedff 936f1e d21ea5 1e8a1e ff6f9c 1ef68a 8a9c66"
    ),
    np.uint8,
).reshape(-1, 3).astype(int)  # fmt: skip
UNASSIGNED = (40, 40, 40)
GRAY = (190, 190, 190)  # of points without colors
CLEARLY_DIFFERENT = 130  # distance of two colors in RGB
NEAR = (1, 6)  # pixels between regions that must not look alike


def region_colors(ids):
    """Colors (R + 1, 3) uint8 of the regions in an image (H,W) of ids, -1 = none.

    Regions that lie side by side get clearly different colors as far as there are enough; the
    same image gives the same colors. The last one, dark, is that of -1.
    """
    count = int(ids.max(initial=-1)) + 1
    apart = np.linalg.norm(REGION_COLORS[:, None] - REGION_COLORS, axis=-1)
    chosen, used = np.full(count, -1), np.zeros(len(REGION_COLORS), int)
    beside = regions_beside(ids, count)
    area = np.bincount(ids[ids >= 0], minlength=count)
    for region in np.argsort(-area, kind="stable")[: np.count_nonzero(area)]:
        taken = chosen[beside[region]]
        distance = apart[:, taken[taken >= 0]].min(axis=1, initial=CLEARLY_DIFFERENT)
        best = np.flatnonzero(distance == distance.max())
        chosen[region] = best[used[best].argmin()]
        used[chosen[region]] += 1
    return np.array([*REGION_COLORS[chosen], UNASSIGNED], np.uint8)


def regions_beside(ids, count):
    """For each region the ids of those that are NEAR it in an image (H,W) of ids."""
    pairs, ids = [], ids.astype(np.int64)  # their products with count are large
    for shift in NEAR:
        for a, b in ((ids[shift:], ids[:-shift]), (ids[:, shift:], ids[:, :-shift])):
            differ = (a != b) & (a >= 0) & (b >= 0)
            pairs += [a[differ] * count + b[differ], b[differ] * count + a[differ]]
    first, second = np.divmod(np.unique(np.concatenate(pairs)), max(count, 1))
    return np.split(second, np.searchsorted(first, np.arange(1, count)))


class Scene:
    """Points as one figure shows them, in any number of colorings.

    coord (N,3) meters, z up; normal (N,3) out of the surfaces: those seen from behind are
    skipped. None: estimated, and turned to the middle of the cloud, as those of a room are.
    """

    def __init__(self, coord: np.ndarray, normal: np.ndarray | None = None):
        self._rows = np.flatnonzero(np.isfinite(coord).all(axis=1))
        coord = np.asarray(coord, np.float64)[self._rows]
        if normal is not None:
            normal = normal[self._rows]
        elif len(coord):
            normal = orient_normals(coord, estimate_normals(coord), np.empty((0, 3)))
        else:
            normal = coord
        self._normal = np.nan_to_num(np.asarray(normal, np.float64))
        self._shown = visible_points(coord, self._normal)

    def in_colors(self, color):
        """Image (H,W,3) uint8 in the points' own colors (N,3), uint8 or floats; None: gray."""
        color = None if color is None else unit_range(color)
        if color is None:
            return self.in_labels(np.zeros(len(self._rows), int), np.array([GRAY]), select=False)
        return paint(self._shown, np.rint(255 * color[self._rows]).astype(np.uint8))

    def in_regions(self, region):
        """Image (H,W,3) uint8 with a color per region, (N,), -1 = unassigned."""
        region = region[self._rows]
        ids = np.full(self._shown.shape, -1)
        ids[self._shown >= 0] = region[self._shown[self._shown >= 0]]
        colors = region_colors(ids)
        # An id that is not visible has no color.
        return self.in_labels(np.where(region < len(colors) - 1, region, -1), colors, select=False)

    def in_labels(self, label, colors, select=True):
        """Image (H,W,3) uint8 of labels (N,) in a table of colors, the last one for -1."""
        label = label[self._rows] if select else label
        return paint(self._shown, shade(colors[label], self._normal))


def draw_report(path: str | Path, scenes: Mapping[str, tuple[Path, str]]) -> None:
    """Write a figure with a row for each of {title: (folder, caption of its regions)}.

    A row shows a prepared scene's colors, its regions, its labels where there are any, and the
    view in the middle of the capture with its regions. Colors and normals may be missing.
    """
    rows, present, table, legend = [], set(), None, [("unassigned", UNASSIGNED)]
    for title, (folder, caption) in scenes.items():
        points = read_inputs(Path(folder))
        scene = Scene(points["coord"], points["normal"])
        region = read_region(folder, len(points["coord"]))
        row = [(scene.in_colors(points["color"]), title), (scene.in_regions(region), caption)]
        if "segment" in points:
            table = class_table(Path(folder))
            row.append((scene.in_labels(points["segment"], label_colors(table)), "labels"))
            present |= set(np.unique(points["segment"]).tolist())
        rows.append(row + view_panels(folder))
    draw_grid(path, rows, legend + legend_of(present, table) if table else legend)


def view_panels(folder: Path) -> list[tuple[np.ndarray, str]]:
    """The middle one of a scene's views and its regions, as panels; none for a scene without."""
    views = read_views(folder)
    if not len(views):
        return []
    frame, size = views.frame[len(views) // 2], views.size[len(views) // 2]
    color, ids = (read_view_image(folder, frame, key, size) for key in ("color", "region"))
    title = f"{ids.max() + 1} regions, {100 * (ids < 0).mean():.0f} % unassigned or without depth"
    return [(color, f"view {frame:06d}"), (region_colors(ids)[ids], title)]
