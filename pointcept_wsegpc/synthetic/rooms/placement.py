"""Places objects in a room without overlap.

Every placed object occupies its axis-aligned box; doors and windows also keep the space before
them free. Walls are numbered 0..3 anticlockwise, starting at y = 0; in the frame of a wall x runs
along it, y into the room, z up.
"""

from __future__ import annotations

import contextlib

import numpy as np

from . import fixtures, furniture
from .difficulty import PLAIN, Difficulty
from .pressing import against_neighbour, pressed, recessed
from .shapes import FLAT, Model, rotation_z

GAP = 0.02  # meters between an object and its neighbour, or the wall behind it
TRIES = 80
BUILT_IN = ("cabinet", "wardrobe closet", "refrigerator")  # can be, unless things go on them
PROTRUSION = (0.07, 0.1)  # meters by which built-in furniture stands out, handles and all


class DoesNotFit(Exception):
    """No free place was found in TRIES tries."""


class Layout:
    """The objects placed so far, and the boxes that they keep free of others."""

    def __init__(self, rng: np.random.Generator, size: np.ndarray, difficulty: Difficulty = PLAIN):
        self.rng, self.size, self.difficulty = rng, size, difficulty
        self.objects: list[Model] = []
        self.openings: list[list[tuple]] = [[], [], [], []]  # per wall (x0, x1, z0, z1, depth)
        self._taken: list[tuple[np.ndarray, Model]] = []  # box (2, 3) and its owner
        self._windows: list[tuple[int, float, Model]] = []  # wall, x, model

    def length(self, side: int) -> float:
        return self.size[side % 2]

    def to_wall(self, model: Model, side: int, x: float, gap: float = 0.0) -> Model:
        """Move a model from the frame of wall `side`, at x along it, to the room's frame."""
        width, depth, _ = self.size
        corner = ((0, 0, 0), (width, 0, 0), (width, depth, 0), (0, depth, 0))[side]
        yaw = side * np.pi / 2
        return model.placed(corner + rotation_z(yaw) @ (x, gap, 0.0), yaw)

    def is_free(self, box: np.ndarray, ignore: Model | None = None) -> bool:
        if (box[0, :2] < -1e-6).any() or (box[1] > self.size).any():
            return False
        others = [other for other, owner in self._taken if owner is not ignore]
        low, high = np.array(others).reshape(-1, 2, 3).transpose(1, 0, 2)
        return not ((box[0] - GAP < high) & (box[1] + GAP > low)).all(1).any()

    def put(self, model: Model) -> Model:
        self.objects.append(model)
        self._taken.append((model.bounds(), model))
        return model

    def optional(self, place, *args) -> None:
        """Place something if it fits."""
        with contextlib.suppress(DoesNotFit):
            place(*args)

    def against_wall(self, model: Model) -> Model:
        """Put it on the floor with its back to a wall."""

        def propose():
            return self.to_wall(model, *self._at_wall(model), self.rng.uniform(1, 2.5) * GAP)

        model = self._search(propose)
        if self._happens(self.difficulty.touching):
            model = self._replace_last(pressed(model, self._taken[:-1], self.size))
        if model.label in BUILT_IN and model.top is None and self._happens(self.difficulty.flat):
            model = self._replace_last(recessed(model, self.rng.uniform(*PROTRUSION)))
        return model

    def on_wall(self, model: Model) -> Model:
        """Hang it on a wall at the height that it already has."""
        return self._hang(self._perhaps_flat(model))

    def _hang(self, model: Model) -> Model:
        return self._search(lambda: self.to_wall(model, *self._at_wall(model)))

    def anywhere(self, model: Model) -> Model:
        """Put it on the floor, mostly square to the walls, sometimes at any angle."""

        def propose():
            yaw = self.rng.integers(4) * np.pi / 2 + self.rng.normal(0, 0.06)
            yaw = self.rng.uniform(0, 2 * np.pi) if self.rng.random() < 0.3 else yaw
            return model.placed([*self.rng.uniform(0, self.size[:2]), 0.0], yaw)

        model = self._search(propose)
        if self._happens(self.difficulty.touching):
            directions = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
            moved, _ = against_neighbour(model, directions, self._taken[:-1], self.size)
            return self._replace_last(moved)
        return model

    def on_top(self, host: Model, model: Model, turn: float = 0.3) -> Model:
        """Put it on the free surface of another object, facing as that does up to about `turn`."""

        def propose():
            turned = model.placed([0, 0, 0], self.rng.normal(0, turn))
            low, high = host.top[0] - turned.bounds()[0], host.top[1] - turned.bounds()[1]
            if (low > high)[:2].any():
                raise DoesNotFit
            at = [*self.rng.uniform(low[:2], high[:2]), host.top[0, 2]]
            return turned.placed(at).placed(host.position, host.yaw)

        return self._search(propose, ignore=host)

    def opening(self, model: Model) -> None:
        """Cut a door or a window into a wall and keep the space in front of it free."""
        model = self._perhaps_flat(model)
        x0, x1, z0, z1, deep = model.opening
        is_door = z0 == 0
        (left, _, _), (right, _, _) = model.bounds()
        room_before = 0.85 if is_door else 0.1
        reserve = Model("", [np.array([[[left, 0, z0], [right, room_before, z1]]])])

        places: list[tuple[int, float]] = []

        def propose():
            places.append(self._at_wall(model, corner_share=0.0))
            return self.to_wall(reserve, *places[-1])

        reserved = self._search(propose)
        side, x = places[-1]
        placed = self._replace_last(self.to_wall(model, side, x), reserved.bounds())
        self.openings[side].append((x + x0, x + x1, z0, z1, deep))
        if not is_door:
            self._windows.append((side, x, placed))

    def curtain(self, model: Model) -> None:
        """Hang it beside a window, which it may partly cover, or on a free wall."""
        model = self._perhaps_flat(model)
        self.rng.shuffle(self._windows)
        for side, x, window in self._windows:
            placed = self.to_wall(model, side, x + self.rng.choice(window.opening[:2]))
            if self.rng.random() < 0.8 and self.is_free(placed.bounds(), ignore=window):
                self.put(placed)
                return
        self._hang(model)

    def shower(self, tub: Model | None) -> None:
        """Hang a shower curtain in front of the bathtub, or around a corner of its own."""
        if tub is None:
            self.against_wall(fixtures.shower_curtain(self.rng))
            return
        placed = fixtures.tub_curtain(self.rng, tub).placed(tub.position, tub.yaw)
        if not self.is_free(placed.bounds(), ignore=tub):
            raise DoesNotFit
        self.put(placed)

    def chairs(self, hosts: list[Model]) -> None:
        """Put one to four chairs, at desks and tables where these have free seats."""
        wanted, found = int(self.rng.integers(1, 5)), 0
        seats = [(host, seat) for host in hosts for seat in host.seats]
        self.rng.shuffle(seats)
        for host, (x, y, yaw) in seats[:wanted]:
            chair = furniture.chair(self.rng)
            away = chair.bounds()[1, 1] + self.rng.uniform(0.0, 0.15)  # its back, from the seat
            chair = chair.placed(np.array([x, y, 0]) - rotation_z(yaw) @ (0, away, 0), yaw)
            chair = chair.placed(host.position, host.yaw)
            if self.is_free(chair.bounds(), ignore=host):
                self.put(chair)
                found += 1
        if found == 0:
            self.anywhere(furniture.chair(self.rng))
        for _ in range(wanted - max(found, 1)):
            self.optional(self.anywhere, furniture.chair(self.rng))

    def _search(self, propose, ignore: Model | None = None) -> Model:
        """Put the first proposal that is free; propose() returns a Model in the room's frame."""
        for _ in range(TRIES):
            model = propose()
            if self.is_free(model.bounds(), ignore):
                return self.put(model)
        raise DoesNotFit

    def _replace_last(self, model: Model, box: np.ndarray | None = None) -> Model:
        """Replace the model put last with a changed one."""
        self.objects[-1] = model
        self._taken[-1] = (model.bounds() if box is None else box, model)
        return model

    def _happens(self, chance: float) -> bool:
        """Draw, but not where the chance is 0, so that plain rooms stay as they are."""
        return chance > 0 and self.rng.random() < chance

    def _perhaps_flat(self, model: Model) -> Model:
        return model.stretched(FLAT) if self._happens(self.difficulty.flat) else model

    def _at_wall(self, model: Model, corner_share: float = 0.4) -> tuple[int, float]:
        """A random wall, and an x at which the model stays within it, sometimes in a corner."""
        side = int(self.rng.integers(4))
        (left, _, _), (right, _, _) = model.bounds()
        low, high = GAP - left, self.length(side) - right - GAP
        if high < low:
            raise DoesNotFit
        if self.rng.random() < corner_share:
            return side, (low, high)[self.rng.integers(2)]
        return side, self.rng.uniform(low, high)
