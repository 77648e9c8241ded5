"""Difficulty settings of synthetic rooms and their scans."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difficulty:
    """What makes regions leak and appearance mislead; the defaults change nothing.

    touching: chance that a piece of furniture is pushed to its wall and against its neighbor, and
        takes on the neighbor's height and depth where they are similar.
    flat: chance that a door, window, picture or curtain is nearly flush with its wall, and that a
        high cabinet or refrigerator is built into it.
    clutter, leaning: average number of loose things per free surface and on the floor, and of
        things that lean against a wall.
    camouflage: chance that an object is painted like something else in the room, often its wall.
    noise: factor on the noise of depth, color and reconstruction in plain scans.
    fusion: radius in meters within which the reconstruction blends surfaces: rounds edges and joins
        what is thin to what it lies on.
    holes: average number of holes in the reconstruction.
    """

    touching: float = 0.0
    flat: float = 0.0
    clutter: float = 0.0
    leaning: float = 0.0
    camouflage: float = 0.0
    noise: float = 1.0
    fusion: float = 0.0
    holes: float = 0.0


PLAIN = Difficulty()
