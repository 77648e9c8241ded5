"""Paints: procedural surface colors of synthetic objects.

P paints. A paint blends two colors by a warped sine of the position: fine across the grain for
wood, strong for prints, barely visible for ceramics. Materials are shared between classes on
purpose, so that color alone does not name the class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# material: (palette, contrast between the two colors, waves per meter)
MATERIALS = {
    "wood": ("150,111,72 181,140,96 110,75,48 205,175,135 90,62,45 222,206,180", 0.14, 6.0),
    "white": ("236,235,230 221,216,206 245,243,238 206,206,200", 0.04, 0.8),
    "gray": ("128,128,128 95,98,102 168,168,170 58,58,62 190,192,196", 0.05, 1.5),
    "fabric": (
        "124,42,42 45,60,98 85,96,70 152,132,105 62,60,62 172,166,156 "
        "192,170,140 102,70,92 70,112,122 214,205,190 202,150,62",
        0.14,
        4.0,
    ),
    "plaster": ("232,230,222 214,202,178 192,202,210 200,206,190 176,154,132", 0.03, 0.5),
    "print": ("150,60,40 40,80,130 200,180,60 70,120,70 220,215,200 40,40,50", 0.9, 3.0),
    "glass": ("188,206,222 150,176,196 226,232,238 110,130,140", 0.2, 0.6),
}


@dataclass(frozen=True)
class Paint:
    """Two colors (3,) in 0..1, a wave vector (3,) in rad/m, and how often depth fails on it."""

    first: np.ndarray
    second: np.ndarray
    wave: np.ndarray
    dropout: float = 0.0


def make_paint(rng: np.random.Generator, *materials: str) -> Paint:
    """A random paint of one of the named materials."""
    material = materials[rng.integers(len(materials))]
    palette, contrast, frequency = MATERIALS[material]
    colors = np.array([entry.split(",") for entry in palette.split()], float) / 255
    first = colors[rng.integers(len(colors))] * rng.uniform(0.85, 1.08)
    first = first + rng.normal(0, 0.025, 3)
    other = colors[rng.integers(len(colors))]
    shade = first * (1 - contrast) if contrast < 0.5 else other
    wave = rng.normal(size=3) * 2 * np.pi * frequency
    if material == "wood":
        wave[rng.integers(3)] *= 0.05  # the direction of the grain
    dropout = 0.6 if material == "glass" else 0.0
    return Paint(first.clip(0.05, 1), shade.clip(0.03, 1), wave, dropout)


class PaintTable:
    """The paints of a scene as arrays, for coloring many points at once."""

    def __init__(self, paints: list[Paint]):
        self.first, self.second, self.wave = (
            np.array([getattr(paint, name) for paint in paints], np.float32)
            for name in ("first", "second", "wave")
        )  # each (P, 3)
        self.dropout = np.array([paint.dropout for paint in paints], np.float32)  # (P,)

    def albedo(self, point: np.ndarray, paint: np.ndarray) -> np.ndarray:
        """Colors (N, 3) in 0..1 at `point` (N, 3) meters, painted with `paint` (N,)."""
        wave = self.wave[paint]
        warp = np.sin(0.37 * (point * np.roll(wave, 1, axis=1)).sum(1))
        blend = 0.5 + 0.5 * np.sin((point * wave).sum(1) + 0.9 * warp)
        first = self.first[paint]
        return first + (self.second[paint] - first) * blend[:, None]
