"""Bath, kitchen, wall-mounted and small things: one function per class, as in furniture.py.

On a wall, y = 0 is the wall plane and y < 0 lies inside an opening. Functions of doors, windows,
pictures and cloth return models whose z is already the height above the floor.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from . import shapes
from .paint import make_paint
from .shapes import Model, pick


def toilet(rng) -> Model:
    w, seat = rng.uniform(0.17, 0.2), rng.uniform(0.38, 0.44)
    paint = make_paint(rng, "white", "white", "plaster")
    model = Model("toilet")
    oval, center = (1.0, 1.3), (0, 0.2 + 1.3 * w)
    radius = w * np.array([0.6, 0.55, 1, 1, 0.7, 0.55, 0.12])
    height = 0, 0.15, seat - 0.06, seat, seat, seat - 0.12, seat - 0.2
    bowl = np.column_stack([radius, height])
    model.add(shapes.lathe(bowl, center, oval), paint)
    model.add(shapes.box((-0.6 * w, 0.05, 0), (0.6 * w, 0.3, seat - 0.03)), paint)
    model.add(shapes.box((-0.22, 0, seat - 0.04), (0.22, 0.19, seat + 0.34)), paint)  # tank
    model.add(shapes.box((-0.23, -0.005, seat + 0.34), (0.23, 0.2, seat + 0.37)), paint)
    if rng.random() < 0.5:  # the lid, open
        model.add(shapes.box((-w, 0.2, seat + 0.02), (w, 0.235, seat + 0.4)), paint)
    else:
        model.add(shapes.cylinder(w, seat, seat + 0.03, center, scale=oval), paint)
    return model


def bathtub(rng) -> Model:
    w, d, z = rng.uniform(1.4, 1.7), rng.uniform(0.7, 0.82), rng.uniform(0.45, 0.58)
    model = Model("bathtub")
    tub = shapes.basin((-w / 2, 0, 0), (w / 2, d, z), 0.07, 0.12, 0.08)
    model.add(tub, make_paint(rng, "white", "white", "plaster"))
    tap = make_paint(rng, "gray")
    model.add(shapes.rod((-w / 2 + 0.04, d / 2, z), (-w / 2 + 0.04, d / 2, z + 0.16), 0.02), tap)
    spout = (-w / 2 + 0.17, d / 2, z + 0.12)
    model.add(shapes.rod((-w / 2 + 0.04, d / 2, z + 0.15), spout, 0.02), tap)
    return model


def sink(rng) -> Model:
    """A wash basin on a pedestal."""
    model = bowl_sink(rng, rng.uniform(0.62, 0.7))
    paint, low = model.paints[0], model.bounds()[0, 2]
    model.add(shapes.cylinder(0.1, 0, low, (0, 0.26), top_radius=0.07), paint)
    return model


def bowl_sink(rng, z: float = 0.0) -> Model:
    """A bowl with a tap whose underside is at height z: it stands on a counter or a pedestal."""
    r, h, paint = rng.uniform(0.2, 0.26), rng.uniform(0.14, 0.2), make_paint(rng, "white", "gray")
    center, oval = (0, 0.26), (1.1, 0.85)
    radius, height = (
        r * np.array([0.5, 0.9, 1, 0.9, 0.75, 0.1]),
        np.array([0, 0.4, 1, 1, 0.45, 0.2]),
    )
    profile = np.column_stack([radius, z + h * height])
    model, tap = Model(pick(rng, "sink", "bathroom sink")), make_paint(rng, "gray", "white")
    model.add(shapes.lathe(profile, center, oval), paint)
    model.add(shapes.box((-0.16, 0, z + 0.5 * h), (0.16, 0.1, z + h)), paint)
    model.add(shapes.rod((0, 0.04, z + h), (0, 0.04, z + h + 0.2), 0.016), tap)
    model.add(shapes.rod((0, 0.04, z + h + 0.19), (0, 0.17, z + h + 0.14), 0.014), tap)
    return model


def counter(rng) -> Model:
    w, d, z = rng.uniform(1.3, 2.1), rng.uniform(0.6, 0.7), rng.uniform(0.86, 0.93)
    slab, body = make_paint(rng, "gray", "wood", "white"), make_paint(rng, "wood", "white", "gray")
    model = Model(pick(rng, "counter", "kitchen counter"))
    model.add(shapes.box((-w / 2, 0, z - 0.06), (w / 2, d, z)), slab)
    model.add(shapes.box((-w / 2, 0, z), (w / 2, 0.03, z + 0.14)), slab)  # splash back
    model.add(shapes.box((-w / 2 + 0.03, 0.02, 0), (w / 2 - 0.03, d - 0.2, z - 0.06)), body)
    model.top = np.array([[-w / 2 + 0.05, 0.05, z], [w / 2 - 0.05, d - 0.05, z]])
    return model


def door(rng) -> Model:
    """A frame, and a leaf set back in its opening."""
    w, z, deep = rng.uniform(0.78, 0.95), rng.uniform(1.95, 2.1), rng.uniform(0.05, 0.09)
    leaf, trim = make_paint(rng, "wood", "white", "gray"), make_paint(rng, "wood", "white")
    model = Model(pick(rng, "door", "doorframe"))
    model.add([shapes.rectangle((-w / 2, -deep, 0), (w / 2, -deep, z))], leaf)
    for low, high in ((0.12, 0.45 * z), (0.52 * z, z - 0.12)):  # raised panels
        panel = (-w / 2 + 0.12, -deep, low), (w / 2 - 0.12, -deep + 0.02, high)
        model.add(shapes.box(*panel), leaf)
    side = pick(rng, -1, 1) * (w / 2 - 0.07)
    inward = -np.sign(side) * 0.12
    model.add(shapes.rod((side, 0.0, 1.0), (side + inward, 0.0, 1.0), 0.015), trim)
    model.add(shapes.rod((side, -deep, 1.0), (side, 0.0, 1.0), 0.015), trim)
    model.opening = (-w / 2, w / 2, 0.0, z, deep)
    return _framed(model, 0.07, 0.025, trim)


def window(rng) -> Model:
    w, low = rng.uniform(0.9, 1.7), rng.uniform(0.8, 1.05)
    high, deep = rng.uniform(1.9, 2.15), rng.uniform(0.08, 0.14)
    trim = make_paint(rng, "white", "wood", "gray")
    model = Model("window")
    pane = shapes.rectangle((-w / 2, -deep, low), (w / 2, -deep, high))
    model.add([pane], make_paint(rng, "glass"))
    columns, rows = int(rng.integers(2, 4)), int(rng.integers(1, 3))
    for x in np.linspace(-w / 2, w / 2, columns + 1):
        x = np.clip(x, -w / 2 + 0.03, w / 2 - 0.03)
        model.add(shapes.box((x - 0.03, -deep, low), (x + 0.03, -deep + 0.05, high)), trim)
    for z in np.linspace(low + 0.03, high - 0.03, rows + 1):
        model.add(shapes.box((-w / 2, -deep, z - 0.03), (w / 2, -deep + 0.045, z + 0.03)), trim)
    sill = (-w / 2 - 0.08, -deep, low - 0.03), (w / 2 + 0.08, 0.08, low + 0.005)
    model.add(shapes.box(*sill), trim)
    model.opening = (-w / 2, w / 2, low, high, deep)
    return _framed(model, 0.05, 0.02, trim)


def _framed(model: Model, width, thick, paint) -> Model:
    """Add the casing around the model's opening."""
    left, right, low, high, _ = model.opening
    for x in (left - width, right):
        model.add(shapes.box((x, 0, low), (x + width, thick, high)), paint)
    lintel = (left - width, 0, high), (right + width, thick, high + width)
    model.add(shapes.box(*lintel), paint)
    return model


def picture(rng) -> Model:
    w, h, z = rng.uniform(0.35, 1.0), rng.uniform(0.35, 0.75), rng.uniform(1.45, 1.65)
    edge, deep = rng.uniform(0.03, 0.06), rng.uniform(0.025, 0.05)
    frame = make_paint(rng, "wood", "gray", "white")
    model = Model(pick(rng, "picture", "poster"))
    low, high = z - h / 2, z + h / 2
    for x in (-w / 2, w / 2 - edge):
        model.add(shapes.box((x, 0.004, low), (x + edge, deep, high)), frame)
    for bottom in (low, high - edge):
        inner = (-w / 2 + edge, 0.004, bottom), (w / 2 - edge, deep, bottom + edge)
        model.add(shapes.box(*inner), frame)
    art = (-w / 2 + edge, deep - 0.012, low + edge), (w / 2 - edge, deep - 0.012, high - edge)
    model.add([shapes.rectangle(*art)], make_paint(rng, "print", "print", "fabric", "plaster"))
    return model


def curtain(rng) -> Model:
    w, top, low = rng.uniform(0.6, 1.1), rng.uniform(2.15, 2.3), rng.uniform(0.04, 0.5)
    model = Model("curtain")
    path = [(-w / 2, 0.1), (w / 2, 0.1)]
    cloth = shapes.drape(path, low, top, rng.uniform(4, 6), rng.uniform(0.03, 0.045))
    model.add(cloth, make_paint(rng, "fabric", "fabric", "white"))
    bar = (-w / 2 - 0.1, 0.1, top + 0.02), (w / 2 + 0.1, 0.1, top + 0.02)
    model.add(shapes.rod(*bar, 0.018), make_paint(rng, "gray", "wood"))
    return model


def shower_curtain(rng) -> Model:
    """Cloth around a shower corner: a rail out from the wall, round a bend, and along it."""
    w, d, low, top = rng.uniform(0.8, 1.0), rng.uniform(0.75, 0.95), 0.15, rng.uniform(1.95, 2.1)
    path = [(-w / 2, 0.03), (-w / 2, 0.7 * d), (-w / 2 + 0.3 * d, d), (w / 2, d)]
    model = Model("shower curtain")
    cloth = shapes.drape(path[rng.integers(2) :], low, top, rng.uniform(2, 3), 0.04)
    model.add(cloth, make_paint(rng, "white", "fabric", "plaster"))
    rail = make_paint(rng, "gray", "white")
    for start, end in pairwise(path):
        model.add(shapes.rod((*start, top + 0.03), (*end, top + 0.03), 0.02), rail)
    return model


def tub_curtain(rng, tub: Model) -> Model:
    """Cloth along the front of a bathtub, in the tub's own frame."""
    (left, _, _), (right, front, _) = tub.in_own_frame().bounds()
    shut, top = rng.uniform(0.45, 0.85) * (right - left), rng.uniform(1.95, 2.1)
    model = Model("shower curtain")
    path = [(right - shut, front + 0.05), (right, front + 0.05)]
    cloth = shapes.drape(path, 0.2, top, rng.uniform(2, 3), 0.035)
    model.add(cloth, make_paint(rng, "white", "fabric", "plaster"))
    rail = (left, front + 0.05, top + 0.03), (right, front + 0.05, top + 0.03)
    model.add(shapes.rod(*rail, 0.02), make_paint(rng, "gray", "white"))
    return model
