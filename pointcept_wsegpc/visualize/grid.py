"""Figures of panels side by side: titles above them, a legend below. Images H x W.

Drawn with Pillow alone.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..files import atomic_path

PANEL = (400, 500)  # pixels (H, W) of one panel
TITLE, GAP, FONT_SIZE, LINE = 46, 12, 17, 22  # pixels; a title has room for two lines
LETTER = 9  # pixels that a letter takes on average, and a little more


def draw_grid(
    path: str | Path,
    rows: Sequence[Sequence[tuple[np.ndarray, str]]],
    legend: Sequence[tuple[str, Sequence[int]]] = (),
) -> None:
    """Write one .png: rows of (image (H, W, 3) uint8, title), and below them (name, color)."""
    height, width = PANEL
    letters = width // LETTER
    titles = [["\n".join(_wrapped(title, letters)) for _, title in row] for row in rows]
    lines = max(title.count("\n") + 1 for row in titles for title in row)
    head = max(TITLE, LINE * lines + 2)
    font = _load_font()
    cell = 20 + 2 * GAP + max((font.getlength(name) for name, _ in legend), default=0)
    full = max(len(row) for row in rows) * (width + GAP) + GAP
    across = max(1, int((full - GAP) // cell))  # entries of the legend side by side
    below = len(rows) * (head + height + GAP) + GAP
    size = (full, below + LINE * (math.ceil(len(legend) / across) + bool(legend)))
    canvas = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(canvas)
    for i, row in enumerate(rows):
        for j, (image, _) in enumerate(row):
            left, top = GAP + j * (width + GAP), GAP + i * (head + height + GAP)
            draw.multiline_text((left, top), titles[i][j], "black", font, spacing=LINE - FONT_SIZE)
            canvas.paste(_in_panel(image), (left, top + head))
    for i, (name, color) in enumerate(legend):
        x, y = GAP + i % across * cell, below + i // across * LINE
        draw.rectangle((x, y + 3, x + 14, y + 17), tuple(map(int, color)))
        draw.text((x + 20, y), name, "black", font)
    with atomic_path(Path(path)) as temporary:
        # 256 colors: a third of the bytes, without a visible difference.
        canvas.quantize(256, dither=Image.Dither.NONE).save(temporary, "PNG", optimize=True)


def _wrapped(title: str, letters: int) -> list[str]:
    return [textwrap.fill(line, letters) for line in title.split("\n")]


def _in_panel(image: np.ndarray) -> Image.Image:
    """The image as large as a panel allows."""
    scale = min(PANEL[0] / image.shape[0], PANEL[1] / image.shape[1])
    size = round(scale * image.shape[1]), round(scale * image.shape[0])
    return Image.fromarray(image).resize(size, Image.Resampling.NEAREST)


def _load_font():
    try:
        return ImageFont.load_default(FONT_SIZE)
    except TypeError:  # Pillow before 10.1 has one size
        return ImageFont.load_default()
