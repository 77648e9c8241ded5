"""Figures of partitions: scenes colored by region, in a grid of panels with titles.

N points, R regions, images H x W. Drawn with Pillow alone.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..clouds.clean import unit_range
from ..clouds.normals import estimate_normals, orient_normals
from ..contracts.classes import IGNORE
from ..contracts.scene import read_region
from ..contracts.views import read_view_image, read_views
from ..files import atomic_path
from ..regions.scenes.inputs import class_table, read_inputs
from .colors import label_colors
from .scenes import PANEL, paint, shade, visible_points

# As far apart as 20 colors of medium lightness and chroma can be, in CIELAB.
REGION_COLORS = np.array(
    [
        (93, 165, 228),
        (210, 228, 165),
        (255, 165, 129),
        (210, 138, 246),
        (48, 192, 147),
        (255, 201, 30),
        (156, 93, 120),
        (30, 120, 255),
        (255, 129, 30),
        (57, 120, 111),
        (255, 201, 246),
        (228, 57, 57),
        (156, 210, 39),
        (30, 237, 255),
        (147, 111, 30),
        (210, 30, 165),
        (30, 138, 30),
        (255, 111, 156),
        (30, 246, 138),
        (138, 156, 102),
    ]
)
UNASSIGNED = (40, 40, 40)
GRAY = (190, 190, 190)  # of points without colors
CLEARLY_DIFFERENT = 130  # distance of two colors in RGB
NEAR = (1, 6)  # pixels between regions that must not look alike

TITLE, GAP, FONT_SIZE, LINE = 46, 12, 17, 22  # pixels


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
    """Points as one figure shows them, in as many colorings as wanted.

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
        # An id that is not seen has no color.
        return self.in_labels(np.where(region < len(colors) - 1, region, -1), colors, select=False)

    def in_labels(self, label, colors, select=True):
        """Image (H,W,3) uint8 of labels (N,) in a table of colors, the last one for -1."""
        label = label[self._rows] if select else label
        return paint(self._shown, shade(colors[label], self._normal))


def draw_grid(path, rows, legend=()):
    """Write one .png: rows of (image (H,W,3), title), and below them legend (name, color)."""
    height, width = PANEL
    columns = max(len(row) for row in rows)
    full = columns * (width + GAP) + GAP
    font = load_font()
    places = legend_places(legend, font, full)
    below = places[-1][1] + 2 * LINE if places else 0
    size = (full, len(rows) * (height + TITLE + GAP) + GAP + below)
    canvas = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(canvas)
    for i, row in enumerate(rows):
        for j, (image, title) in enumerate(row):
            left, top = GAP + j * (width + GAP), GAP + i * (height + TITLE + GAP)
            lines = wrap(title, font, width)
            draw.multiline_text((left, top), lines, "black", font, spacing=LINE - FONT_SIZE)
            canvas.paste(Image.fromarray(image), (left, top + TITLE))
    top = size[1] - below
    for (name, color), (x, y) in zip(legend, places, strict=True):
        draw.rectangle((x, top + y + 3, x + 14, top + y + 17), tuple(map(int, color)))
        draw.text((x + 20, top + y), name, "black", font)
    with atomic_path(Path(path)) as temporary:
        # 256 colors: a third of the bytes, and nobody sees it.
        canvas.quantize(256, dither=Image.Dither.NONE).save(temporary, "PNG", optimize=True)


def draw_report(path, scenes):
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
            colors = label_colors(table)
            row.append((scene.in_labels(points["segment"], colors), "labels"))
            present |= set(np.unique(points["segment"]).tolist())
        rows.append(row + view_panels(folder))
    if table is not None:
        names = {**dict(enumerate(table.names)), IGNORE: "no label"}
        legend += [(names[label], colors[label]) for label in names if label in present]
    draw_grid(path, rows, legend)


def view_panels(folder):
    """The middle one of a scene's views and its regions, as panels; none for a scene without."""
    views = read_views(folder)
    if not len(views):
        return []
    frame, size = views.frame[len(views) // 2], views.size[len(views) // 2]
    color, ids = (read_view_image(folder, frame, key, size) for key in ("color", "region"))
    title = f"{ids.max() + 1} regions, {100 * (ids < 0).mean():.0f} % unassigned or without depth"
    panels = (color, f"view {frame:06d}"), (region_colors(ids)[ids], title)
    return [(in_panel(image), title) for image, title in panels]


def in_panel(image):
    """Image (H,W,3) uint8 as large as a panel allows, on white."""
    scale = min(PANEL[0] / image.shape[0], PANEL[1] / image.shape[1])
    size = round(scale * image.shape[1]), round(scale * image.shape[0])
    panel = np.full((*PANEL, 3), 255, np.uint8)
    panel[: size[1], : size[0]] = Image.fromarray(image).resize(size, Image.Resampling.NEAREST)
    return panel


def load_font():
    try:
        return ImageFont.load_default(FONT_SIZE)
    except TypeError:  # Pillow before 10.1 has one size
        return ImageFont.load_default()


def wrap(text, font, width):
    """Text with line breaks, so that no line is wider than `width` pixels; words stay whole."""
    lines = []
    for paragraph in text.split("\n"):
        lines.append("")
        for word in paragraph.split():
            longer = f"{lines[-1]} {word}".strip()
            if font.getlength(longer) <= width or not lines[-1]:
                lines[-1] = longer
            else:
                lines.append(word)
    return "\n".join(lines)


def legend_places(legend, font, width):
    """Where (x, y) each entry of the legend starts, row by row."""
    places, x, y = [], GAP, 0
    for name, _ in legend:
        length = 20 + font.getlength(name) + 2 * GAP
        if x + length > width and x > GAP:
            x, y = GAP, y + LINE
        places.append((x, y))
        x += length
    return places
