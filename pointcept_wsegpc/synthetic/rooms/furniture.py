"""Furniture that stands on the floor: one function per class, random size, build and paint.

Every function takes a generator and returns a Model in its local frame (x along the wall, back at
y = 0, front towards +y, z up, meters). The label is a raw ScanNet category.
"""

from __future__ import annotations

import numpy as np

from . import shapes
from .paint import make_paint
from .shapes import Model, pick


def _legs(model: Model, lo, hi, width: float, paint) -> None:
    """Four square legs in the corners of the footprint lo..hi (x, y, z)."""
    for x in (lo[0], hi[0] - width):
        for y in (lo[1], hi[1] - width):
            model.add(shapes.box((x, y, lo[2]), (x + width, y + width, hi[2])), paint)


def chair(rng) -> Model:
    w, d, seat = rng.uniform(0.40, 0.52), rng.uniform(0.42, 0.52), rng.uniform(0.42, 0.49)
    top, office = rng.uniform(0.8, 1.05), rng.random() < 0.4
    frame, pad = make_paint(rng, "wood", "gray", "white"), make_paint(rng, "fabric", "wood", "gray")
    model = Model(pick(rng, "office chair", "chair") if office else "chair")
    model.add(shapes.box((-w / 2, 0.03, seat - 0.06), (w / 2, d, seat)), pad)
    if office:
        model.add(shapes.cylinder(0.035, 0.08, seat - 0.06, (0, d / 2)), frame)
        for angle in np.arange(5) * 2 * np.pi / 5:
            foot = (0.27 * np.cos(angle), d / 2 + 0.27 * np.sin(angle), 0.05)
            model.add(shapes.rod((0, d / 2, 0.1), foot, 0.025), frame)
        model.add(shapes.cushion((-w / 2, -0.02, seat + 0.12), (w / 2, 0.07, top)), pad)
        model.add(shapes.box((-0.04, 0.0, seat), (0.04, 0.03, seat + 0.2)), frame)
        return _arms(model, w, d, seat, frame)
    _legs(model, (-w / 2, 0.0, 0), (w / 2, d, seat - 0.06), 0.04, frame)
    for x in (-w / 2, w / 2 - 0.04):
        model.add(shapes.box((x, 0, seat), (x + 0.04, 0.04, top)), frame)
    if rng.random() < 0.5:  # slats, or one panel
        for z in np.arange(seat + 0.12, top, 0.14):
            model.add(shapes.box((-w / 2 + 0.04, 0.01, z), (w / 2 - 0.04, 0.03, z + 0.07)), frame)
    else:
        model.add(shapes.box((-w / 2 + 0.04, 0.0, seat + 0.1), (w / 2 - 0.04, 0.04, top)), pad)
    return _arms(model, w, d, seat, frame) if rng.random() < 0.25 else model


def _arms(model: Model, w, d, seat, paint) -> Model:
    for x in (-w / 2, w / 2 - 0.05):
        model.add(shapes.box((x, 0.08, seat + 0.2), (x + 0.05, d - 0.06, seat + 0.23)), paint)
        model.add(shapes.box((x, d - 0.14, seat), (x + 0.04, d - 0.1, seat + 0.2)), paint)
    return model


def sofa(rng) -> Model:
    places = int(rng.integers(1, 4))
    arm, d, seat = rng.uniform(0.14, 0.24), rng.uniform(0.8, 0.98), rng.uniform(0.24, 0.3)
    w, back = 0.62 * places * rng.uniform(0.95, 1.15) + 2 * arm, rng.uniform(0.75, 0.92)
    paint = make_paint(rng, "fabric", "gray", "white")
    loose = make_paint(rng, "fabric") if rng.random() < 0.3 else paint
    model = Model("sofa chair" if places == 1 else pick(rng, "couch", "sofa"))
    model.add(shapes.box((-w / 2, 0, 0.06), (w / 2, d, seat)), paint)
    model.add(shapes.box((-w / 2, 0, seat), (w / 2, 0.2, back)), paint)
    for x in (-w / 2, w / 2 - arm):
        model.add(shapes.box((x, 0.2, seat), (x + arm, d, seat + 0.32)), paint)
    inner = (w - 2 * arm) / places
    for i in range(places):
        x = -w / 2 + arm + i * inner
        model.add(shapes.cushion((x, 0.22, seat - 0.02), (x + inner, d + 0.02, seat + 0.17)), loose)
        high = back + rng.uniform(-0.06, 0.06)
        model.add(shapes.cushion((x, 0.17, seat + 0.15), (x + inner, 0.38, high)), loose)
    return model


def bed(rng) -> Model:
    w, d = pick(rng, 0.95, 1.3, 1.6) * rng.uniform(0.95, 1.05), rng.uniform(1.95, 2.1)
    base, head = rng.uniform(0.22, 0.34), rng.uniform(0.75, 1.1)
    frame, sheet = make_paint(rng, "wood", "white", "gray"), make_paint(rng, "white", "fabric")
    model = Model("bed")
    _legs(model, (-w / 2, 0, 0), (w / 2, d, base - 0.12), 0.07, frame)
    model.add(shapes.box((-w / 2, 0.05, base - 0.12), (w / 2, d, base)), frame)
    model.add(shapes.box((-w / 2, 0, 0.1), (w / 2, 0.05, head)), frame)
    mattress = (-w / 2 + 0.02, 0.06, base), (w / 2 - 0.02, d, base + 0.22)
    model.add(shapes.cushion(*mattress, 0.2), sheet)
    count = 2 if w > 1.2 else 1
    for i in range(count):
        x = w * ((i + 0.5) / count - 0.5)
        low = (x - 0.3, 0.08 + rng.uniform(0, 0.08), base + 0.19)
        model.add(shapes.cushion(low, (x + 0.3, low[1] + 0.4, low[2] + 0.15), 0.7), sheet)
    cover = make_paint(rng, "fabric", "white", "fabric")
    edge = rng.uniform(0.6, 1.1)
    z = base + 0.23
    model.add(shapes.box((-w / 2 - 0.015, edge, z - 0.2), (w / 2 + 0.015, d + 0.015, z)), cover)
    return model


def table(rng) -> Model:
    top, frame = make_paint(rng, "wood", "white", "gray"), make_paint(rng, "wood", "gray", "white")
    kind = pick(rng, "dining", "round", "coffee")
    if kind == "round":
        r, z = rng.uniform(0.42, 0.6), rng.uniform(0.7, 0.76)
        model = Model("table")
        model.add(shapes.cylinder(r, z - 0.04, z, (0, r)), top)
        model.add(shapes.cylinder(0.05, 0.04, z - 0.04, (0, r)), frame)
        model.add(shapes.cylinder(0.28, 0, 0.04, (0, r)), frame)
        inset, w, d = 0.3 * r, 2 * r, 2 * r
    else:
        coffee = kind == "coffee"
        w, d = (0.95, 0.55) if coffee else (1.45, 0.85)
        w, d = w * rng.uniform(0.8, 1.15), d * rng.uniform(0.85, 1.1)
        z = rng.uniform(0.36, 0.5) if coffee else rng.uniform(0.7, 0.78)
        model = Model("coffee table" if coffee else pick(rng, "table", "dining table"))
        model.add(shapes.box((-w / 2, 0, z - 0.04), (w / 2, d, z)), top)
        _legs(model, (-w / 2 + 0.03, 0.03, 0), (w / 2 - 0.03, d - 0.03, z - 0.04), 0.06, frame)
        inset = 0.05
    if kind != "coffee":
        model.seats = [(0, d - 0.12, np.pi), (0, 0.12, 0.0)]
        model.seats += [(w / 2 - 0.12, d / 2, np.pi / 2), (0.12 - w / 2, d / 2, -np.pi / 2)]
    model.top = np.array([[-w / 2 + inset, inset, z], [w / 2 - inset, d - inset, z]])
    return model


def desk(rng) -> Model:
    w, d, z = rng.uniform(1.1, 1.6), rng.uniform(0.58, 0.75), rng.uniform(0.71, 0.77)
    top, body = make_paint(rng, "wood", "white", "gray"), make_paint(rng, "wood", "white", "gray")
    model = Model("desk")
    model.add(shapes.box((-w / 2, 0, z - 0.03), (w / 2, d, z)), top)
    model.add(shapes.box((w / 2 - 0.03, 0.02, 0), (w / 2, d - 0.02, z - 0.03)), body)
    model.add(shapes.box((-w / 2, 0.02, 0.3), (w / 2, 0.04, z - 0.03)), body)  # modesty panel
    x0, x1 = -w / 2 + 0.01, -w / 2 + 0.41
    model.add(shapes.box((x0, 0.02, 0.03), (x1, d - 0.03, z - 0.03)), body)
    for i in range(3):  # drawers
        low = 0.05 + i * (z - 0.1) / 3
        front = (x0 + 0.02, d - 0.03, low), (x1 - 0.02, d - 0.01, low + (z - 0.16) / 3)
        model.add(shapes.box(*front), body)
        handle = (x0 + 0.12, d + 0.005, low + 0.1), (x1 - 0.12, d + 0.005, low + 0.1)
        model.add(shapes.rod(*handle, 0.01), top)
    model.seats = [(0.18, d - 0.12, np.pi)]
    model.top = np.array([[-w / 2 + 0.05, 0.05, z], [w / 2 - 0.05, d - 0.05, z]])
    return model


def bookshelf(rng) -> Model:
    w, d, z = rng.uniform(0.7, 1.3), rng.uniform(0.26, 0.36), rng.uniform(1.3, 2.1)
    body, t = make_paint(rng, "wood", "white", "gray"), 0.025
    model = Model(pick(rng, "bookshelf", "bookcase"))
    model.add(shapes.box((-w / 2, 0, 0), (w / 2, 0.01, z)), body)
    for x in (-w / 2, w / 2 - t):
        model.add(shapes.box((x, 0.01, 0), (x + t, d, z)), body)
    shelves = np.linspace(0.06, z - t, round(z / 0.36) + 1)
    for low in shelves:
        model.add(shapes.box((-w / 2 + t, 0.01, low), (w / 2 - t, d, low + t)), body)
    for low in shelves[:-1]:  # books fill a part of every board
        x, end = -w / 2 + 0.04, w / 2 - 0.06 - rng.uniform(0, 0.5) * w
        while x < end:
            thick = rng.uniform(0.05, 0.13)
            hi = min(x + thick, w / 2 - t), d - rng.uniform(0.02, 0.1), low + rng.uniform(0.2, 0.27)
            model.add(shapes.box((x, 0.03, low + t), hi), make_paint(rng, "fabric", "print"))
            x += thick + 0.004
    return model


def cabinet(rng) -> Model:
    tall = rng.random() < 0.4
    w, d = rng.uniform(0.7, 1.3), rng.uniform(0.38, 0.6)
    z = rng.uniform(1.7, 2.1) if tall else rng.uniform(0.6, 0.95)
    body, front = make_paint(rng, "wood", "white", "gray"), make_paint(rng, "wood", "white")
    knob = make_paint(rng, "gray", "white")
    model = Model("wardrobe closet" if tall and rng.random() < 0.5 else "cabinet")
    model.add(shapes.box((-w / 2, 0, 0.05), (w / 2, d, z)), body)
    model.add(shapes.box((-w / 2 + 0.04, 0, 0), (w / 2 - 0.04, d - 0.05, 0.05)), body)
    columns, rows = (2, 1) if tall else (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    for x in np.linspace(-w / 2, w / 2, columns + 1)[:-1]:
        for low in np.linspace(0.06, z - 0.02, rows + 1)[:-1]:
            hi = x + w / columns - 0.02, d + 0.025, low + (z - 0.08) / rows - 0.02
            model.add(shapes.box((x + 0.02, d, low + 0.02), hi), front)
            at, yz = x + w / columns / 2, (d + 0.05, (low + hi[2]) / 2)
            model.add(shapes.rod((at - 0.07, *yz), (at + 0.07, *yz), 0.012), knob)
    if not tall:
        model.top = np.array([[-w / 2 + 0.05, 0.05, z], [w / 2 - 0.05, d - 0.05, z]])
    return model


def refrigerator(rng) -> Model:
    w, d, z = rng.uniform(0.58, 0.85), rng.uniform(0.6, 0.72), rng.uniform(1.5, 1.85)
    body, grip = make_paint(rng, "white", "gray", "gray"), make_paint(rng, "gray", "white")
    split = z * rng.uniform(0.3, 0.7)
    model = Model("refrigerator")
    model.add(shapes.box((-w / 2, 0, 0.03), (w / 2, d - 0.07, z)), body)
    for low, high in ((0.06, split - 0.015), (split + 0.015, z)):
        model.add(shapes.cushion((-w / 2, d - 0.06, low), (w / 2, d + 0.02, high), 0.12), body)
        x, length = w / 2 - 0.07, min(0.4, 0.6 * (high - low))
        start = split - 0.06 - length if low < split / 2 else split + 0.06
        model.add(shapes.rod((x, d + 0.06, start), (x, d + 0.06, start + length), 0.015), grip)
    return model
