"""Procedural furnished rooms: which classes, how many of each, and where they stand.

A room is a box of walls without ceiling in its axis-aligned frame: a corner at the origin, z up,
meters. Class sets come from four themes; the choice runs over the scenes as a low-discrepancy
sequence, so that any run of scenes has every class in some and lacks it in others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import clutter, fixtures, furniture, shapes
from .crowding import camouflage, crowd
from .difficulty import PLAIN, Difficulty
from .paint import make_paint
from .placement import DoesNotFit, Layout
from .shapes import Model

THEMES = ("Bedroom / Hotel", "Living room / Lounge", "Bathroom", "Kitchen")
CLASS_RANGE = (3, 9)  # classes per room besides wall and floor
SECOND = 0.35  # chance of a second piece of the furniture that rooms have several of

# How often each theme has the class; the rare mixtures keep classes from always coming in pairs.
FREQUENCY = {
    "bed": (0.85, 0.20, 0.00, 0.15),
    "sofa": (0.30, 0.80, 0.00, 0.25),
    "bathtub": (0.15, 0.00, 0.65, 0.10),
    "counter": (0.05, 0.15, 0.40, 0.65),
    "refrigerator": (0.10, 0.20, 0.10, 0.75),
    "shower curtain": (0.15, 0.00, 0.70, 0.10),
    "toilet": (0.20, 0.05, 0.85, 0.20),
    "sink": (0.15, 0.05, 0.70, 0.45),
    "desk": (0.50, 0.35, 0.05, 0.35),
    "table": (0.20, 0.55, 0.10, 0.60),
    "bookshelf": (0.35, 0.50, 0.05, 0.35),
    "cabinet": (0.40, 0.35, 0.50, 0.45),
    "chair": (0.40, 0.50, 0.20, 0.60),
    "otherfurniture": (0.40, 0.45, 0.40, 0.40),
    "door": (0.50, 0.50, 0.55, 0.50),
    "window": (0.50, 0.55, 0.40, 0.50),
    "curtain": (0.45, 0.50, 0.15, 0.30),
    "picture": (0.40, 0.50, 0.25, 0.30),
}

AGAINST_WALL = {
    "bed": furniture.bed,
    "sofa": furniture.sofa,
    "bathtub": fixtures.bathtub,
    "counter": fixtures.counter,
    "refrigerator": furniture.refrigerator,
    "toilet": fixtures.toilet,
    "desk": furniture.desk,
    "bookshelf": furniture.bookshelf,
    "cabinet": furniture.cabinet,
}


@dataclass
class Room:
    """Objects in the axis-aligned frame; `label` of each is a raw category. `size` (3,) meters."""

    theme: str
    size: np.ndarray
    objects: list[Model]
    boxes: np.ndarray  # (B, 2, 3), what a camera must stay out of


def scene_classes(
    seed: int, index: int, names: Sequence[str] = (), num: tuple[int, int] = CLASS_RANGE
) -> tuple[str, list[str]]:
    """Theme and classes (besides wall and floor) of scene `index`.

    names: of FREQUENCY, those that rooms are furnished from; none: all. num: least and most classes
    of a room. Raises ValueError for a name that is none of FREQUENCY.
    """
    names = list(names or FREQUENCY)
    if unknown := [name for name in names if name not in FREQUENCY]:
        raise ValueError(f"rooms have no {unknown[0]!r}; classes: {', '.join(FREQUENCY)}")
    theme, turn = index % len(THEMES), index // len(THEMES)
    start = np.random.default_rng([seed, 0]).random((len(names), len(THEMES)))
    step = np.sqrt([2, 3, 5, 6, 7, 10, 11, 13, 14, 15, 17, 19, 21, 22, 23, 26, 29, 30])
    level = (start[:, theme] + turn * step[: len(names)]) % 1
    margin = np.array([FREQUENCY[name][theme] for name in names]) - level
    count = np.clip((margin > 0).sum(), *num)
    chosen = np.sort(np.argsort(-margin, kind="stable")[:count])
    return THEMES[theme], [names[i] for i in chosen]


def make_room(
    seed: int, index: int, difficulty: Difficulty = PLAIN, classes: list[str] | None = None
) -> Room:
    """The room of scene `index`, a little larger each time that its furniture does not fit.

    classes: of FREQUENCY, instead of those that `scene_classes` gives it.
    """
    rng = np.random.default_rng([seed, 1, index])
    theme, chosen = scene_classes(seed, index)
    classes = chosen if classes is None else classes
    size = np.array([rng.uniform(3.0, 5.0), rng.uniform(3.0, 4.5), rng.uniform(2.4, 2.8)])
    for _ in range(40):
        layout = Layout(rng, size, difficulty)
        try:
            _furnish(layout, classes)
        except DoesNotFit:
            size = size * (1.05, 1.05, 1.0)
            continue
        shell = _shell(rng, layout)
        if difficulty.camouflage:
            camouflage(rng, shell, layout.objects, difficulty.camouflage)
        boxes = np.array([m.bounds() for m in layout.objects])
        return Room(theme, size, [*shell, *layout.objects], boxes)
    raise RuntimeError(f"seed {seed}, scene {index}: no room found for {classes}")


def _furnish(layout: Layout, classes: list[str]) -> None:
    rng = layout.rng
    for name, build in (("door", fixtures.door), ("window", fixtures.window)):
        if name in classes:
            for _ in range(rng.integers(1, 3)):
                layout.opening(build(rng))
    hosts = {
        name: layout.against_wall(build(rng))
        for name, build in AGAINST_WALL.items()
        if name in classes
    }
    if "shower curtain" in classes:
        layout.shower(hosts.get("bathtub"))
    if "curtain" in classes:
        for _ in range(rng.integers(1, 3)):
            layout.curtain(fixtures.curtain(rng))
    if "table" in classes:
        hosts["table"] = layout.anywhere(furniture.table(rng))
    if "sink" in classes:
        if "counter" in hosts and rng.random() < 0.7:
            layout.on_top(hosts["counter"], fixtures.bowl_sink(rng), 0.0)
        else:
            layout.against_wall(fixtures.sink(rng))
    if "chair" in classes:
        layout.chairs([hosts[name] for name in ("desk", "table") if name in hosts])
    if "picture" in classes:
        for _ in range(rng.integers(1, 4)):
            layout.on_wall(fixtures.picture(rng))
    _more(layout, classes, hosts)


def _more(layout: Layout, classes: list[str], hosts: dict[str, Model]) -> None:
    """Add second instances where they fit, small furniture, and props of no class."""
    rng = layout.rng
    again = max(SECOND, layout.difficulty.touching)
    for name in ("cabinet", "bookshelf", "sofa", "bed"):
        if name in classes and rng.random() < again:
            layout.optional(layout.against_wall, AGAINST_WALL[name](rng))
    if "otherfurniture" in classes:
        layout.anywhere(clutter.other_furniture(rng))
        layout.optional(layout.anywhere, clutter.other_furniture(rng))
    for build in (clutter.carton, clutter.floor_lamp):
        if rng.random() < 0.35:
            layout.optional(layout.anywhere, build(rng))
    for name in ("desk", "table", "cabinet", "counter"):
        host = hosts.get(name)
        if host is not None and host.top is not None and rng.random() < 0.6:
            prop = clutter.monitor if name == "desk" else clutter.books
            layout.optional(layout.on_top, host, prop(rng))
    if layout.difficulty != PLAIN:
        crowd(layout, classes, [host for host in hosts.values() if host.top is not None])


def _shell(rng, layout: Layout) -> list[Model]:
    """Floor and four walls with their openings cut out and lined."""
    width, depth, height = layout.size
    floor = Model("floor")
    ground = shapes.rectangle((0, 0, 0), (width, depth, 0))
    floor.add([ground], make_paint(rng, "wood", "gray", "plaster"))
    paint = make_paint(rng, "plaster", "white", "plaster", "wood")
    walls = []
    for side in range(4):
        wall, accent = Model("wall"), rng.random() < 0.2
        patches = _cut_wall(layout.length(side), height, layout.openings[side])
        wall.add(patches, make_paint(rng, "plaster", "fabric", "wood") if accent else paint)
        walls.append(layout.to_wall(wall, side, 0.0))
    return [floor, *walls]


def _cut_wall(length: float, height: float, openings) -> list[np.ndarray]:
    """A wall in its own frame, x from 0 to length, around openings (x0, x1, z0, z1, depth)."""
    patches, at = [], 0.0
    for x0, x1, z0, z1, deep in sorted(openings):
        patches.append(shapes.rectangle((at, 0, 0), (x0, 0, height)))
        patches.append(shapes.rectangle((x0, 0, z1), (x1, 0, height)))
        if z0 > 0:
            patches.append(shapes.rectangle((x0, 0, 0), (x1, 0, z0)))
        for x in (x0, x1):  # reveals
            patches.append(shapes.rectangle((x, -deep, z0), (x, 0, z1)))
        for z in (z0, z1):
            patches.append(shapes.rectangle((x0, -deep, z), (x1, 0, z)))
        at = x1
    return [*patches, shapes.rectangle((at, 0, 0), (length, 0, height))]
