"""Small things: ScanNet's otherfurniture class, and props outside its 20 classes."""

from __future__ import annotations

import numpy as np

from . import shapes
from .paint import make_paint
from .shapes import Model, pick


def other_furniture(rng) -> Model:
    """One of four builds that ScanNet files under otherfurniture."""
    return pick(rng, trash_can, ottoman, coat_rack, drying_rack)(rng)


def trash_can(rng) -> Model:
    r, z = rng.uniform(0.13, 0.2), rng.uniform(0.3, 0.6)
    model = Model("trash can")
    profile = [(0.05, 0.01), (0.8 * r, 0.01), (r, z), (0.93 * r, z), (0.75 * r, 0.04), (0.02, 0.04)]
    model.add(shapes.lathe(profile, (0, r)), make_paint(rng, "gray", "white", "fabric"))
    return model


def ottoman(rng) -> Model:
    r, z = rng.uniform(0.22, 0.34), rng.uniform(0.32, 0.45)
    model, paint = Model("ottoman"), make_paint(rng, "fabric", "gray", "white")
    model.add(shapes.cylinder(r, 0.03, z - 0.08, (0, r)), paint)
    model.add(shapes.cushion((-r, 0, z - 0.1), (r, 2 * r, z), 0.8), paint)
    return model


def coat_rack(rng) -> Model:
    z, paint = rng.uniform(1.6, 1.85), make_paint(rng, "wood", "gray", "white")
    model = Model("coat rack")
    model.add(shapes.cylinder(0.22, 0, 0.03, (0, 0.25)), paint)
    model.add(shapes.rod((0, 0.25, 0.03), (0, 0.25, z), 0.03), paint)
    for angle in np.arange(4) * np.pi / 2 + rng.uniform(0, 1):
        tip = 0.2 * np.cos(angle), 0.25 + 0.2 * np.sin(angle), z
        model.add(shapes.rod((0, 0.25, z - 0.15), tip, 0.018), paint)
    coat = (-0.16, 0.1, z - 1.0), (0.16, 0.4, z - 0.1)
    model.add(shapes.cushion(*coat, 0.9), make_paint(rng, "fabric"))
    return model


def drying_rack(rng) -> Model:
    w, d, z = rng.uniform(0.7, 1.0), rng.uniform(0.4, 0.55), rng.uniform(0.8, 1.1)
    model, paint = Model("laundry rack"), make_paint(rng, "gray", "white")
    for x in (-w / 2, w / 2):
        model.add(shapes.rod((x, 0.03, 0), (x, d - 0.03, z), 0.015), paint)
        model.add(shapes.rod((x, d - 0.03, 0), (x, 0.03, z), 0.015), paint)
    bars = np.linspace(0.03, d - 0.03, 4)
    for y in bars:
        model.add(shapes.rod((-w / 2, y, z), (w / 2, y, z), 0.01), paint)
    for y in bars[rng.random(4) < 0.6]:
        x, length = rng.uniform(-w / 2, 0), rng.uniform(0.25, 0.5)
        cloth = (x, y - 0.012, z - length), (x + w / 2, y + 0.012, z + 0.012)
        model.add(shapes.box(*cloth), make_paint(rng, "fabric", "white"))
    return model


def carton(rng) -> Model:
    w, d, z = rng.uniform(0.25, 0.5, 3) * (1, 0.8, 0.8)
    model = Model("box")
    model.add(shapes.box((-w / 2, 0, 0), (w / 2, d, z)), make_paint(rng, "wood", "white"))
    return model


def floor_lamp(rng) -> Model:
    z, r = rng.uniform(1.4, 1.7), rng.uniform(0.14, 0.2)
    model, stand = Model("lamp"), make_paint(rng, "gray", "wood")
    model.add(shapes.cylinder(0.14, 0, 0.03, (0, 0.2)), stand)
    model.add(shapes.rod((0, 0.2, 0.03), (0, 0.2, z), 0.015), stand)
    shade = shapes.lathe([(1.2 * r, z - 0.12), (0.75 * r, z + 0.16)], (0, 0.2))
    model.add(shade, make_paint(rng, "white", "plaster", "fabric"))
    return model


def monitor(rng) -> Model:
    w, h = rng.uniform(0.45, 0.6), rng.uniform(0.28, 0.36)
    model, paint = Model("monitor"), make_paint(rng, "gray")
    model.add(shapes.cylinder(0.1, 0, 0.015, (0, 0.12)), paint)
    model.add(shapes.box((-0.03, 0.11, 0.015), (0.03, 0.13, 0.2)), paint)
    model.add(shapes.box((-w / 2, 0.13, 0.1), (w / 2, 0.16, 0.1 + h)), paint)
    return model


def books(rng) -> Model:
    model, z = Model("books"), 0.0
    for _ in range(rng.integers(2, 6)):
        w, d, thick = rng.uniform(0.2, 0.3), rng.uniform(0.14, 0.2), rng.uniform(0.02, 0.05)
        cover = make_paint(rng, "fabric", "print")
        model.add(shapes.box((-w / 2, 0, z), (w / 2, d, z + thick)), cover)
        z += thick
    return model
