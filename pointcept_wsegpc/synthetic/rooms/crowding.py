"""What makes a furnished room crowded: clutter, rugs, leaning things, and deceptive paint."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from . import clutter, fixtures, shapes
from .paint import Paint, make_paint
from .placement import Layout
from .shapes import Model

FLOOR_SHARE = 0.5  # clutter on the floor, as a share of that on a free surface
RUGS = 0.6  # chance


def crowd(layout: Layout, classes: list[str], hosts: list[Model]) -> None:
    """Add loose things to a furnished layout, but no class that the room lacks."""
    rng, difficulty = layout.rng, layout.difficulty
    for host in hosts:
        for _ in range(rng.poisson(difficulty.clutter)):
            layout.optional(layout.on_top, host, _small_thing(rng), 0.5)
    for _ in range(rng.poisson(FLOOR_SHARE * difficulty.clutter * len(hosts))):
        layout.optional(layout.anywhere, _small_thing(rng))
    for _ in range(rng.poisson(difficulty.leaning)):
        layout.optional(layout.against_wall, leaning_thing(rng, "picture" in classes))
    if difficulty.clutter and rng.random() < RUGS:
        layout.objects.append(rug(rng, layout.size))  # furniture stands on it: nothing to keep free


def _small_thing(rng) -> Model:
    if rng.random() < 0.5:
        return clutter.books(rng)
    model = clutter.carton(rng)
    return model.stretched(rng.uniform(0.4, 0.8, 3))


def rug(rng, size: np.ndarray) -> Model:
    """A carpet of about a centimeter on the floor of a room of `size` (3,) meters."""
    w, d = size[:2] * rng.uniform(0.35, 0.7, 2)
    x, y = (size[:2] - (w, d)) * rng.uniform(0.1, 0.9, 2)
    model = Model("rug")
    corners = (x, y, 0.001), (x + w, y + d, rng.uniform(0.006, 0.014))
    model.add(shapes.box(*corners), make_paint(rng, "fabric", "print"))
    return model


def leaning_thing(rng, picture: bool) -> Model:
    """A picture or a flat carton that stands on the floor and leans against the wall."""
    if picture:
        model = fixtures.picture(rng).stretched(shapes.FLAT)
        low = model.bounds()[0]
        model = model.placed((0, 0, -low[2]))
    else:
        w, h = rng.uniform(0.5, 1.0, 2)
        model = Model("box")
        model.add(shapes.box((-w / 2, 0, 0), (w / 2, 0.04, h)), make_paint(rng, "wood", "white"))
    tilt = rng.uniform(0.08, 0.25)
    height = model.bounds()[1, 2]
    cos, sin = np.cos(tilt), np.sin(tilt)
    turn = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    foot = np.array([0, height * sin, 0])  # the upper edge stays at the wall
    patches = [patch @ turn.T + foot for patch in model.patches]
    return replace(model, patches=patches, position=np.zeros(3))


def camouflage(rng, shell: list[Model], objects: list[Model], chance: float) -> None:
    """Paint some objects like a wall or another object, in place."""
    for model in objects:
        if rng.random() >= chance:
            continue
        pool = shell if rng.random() < 0.5 else objects
        paint = pool[rng.integers(len(pool))].paints[0]
        own = model.paints[0]
        if not (own.dropout or paint.dropout):  # depth does not fail on painted glass
            model.paints = [_like(rng, paint) if p is own else p for p in model.paints]


def _like(rng, paint: Paint) -> Paint:
    """Almost the same paint: no two objects are lit and worn exactly alike."""
    shade = rng.normal(1, 0.02)
    return replace(paint, first=paint.first * shade, second=paint.second * shade)
