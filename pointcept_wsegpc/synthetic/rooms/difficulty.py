"""How much harder than the plain ones synthetic rooms and their scans are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difficulty:
    """What makes regions leak across objects and looks deceive; the defaults add nothing.

    touching: chance that a piece of furniture is pushed to its wall and against its neighbour, and
        takes on the neighbour's height and depth where these are alike.
    flat: chance that a door, window, picture or curtain is nearly flush with its wall, and that a
        high cabinet or refrigerator is built into it.
    clutter: loose things per free surface, and on the floor; leaning: things that lean on a wall;
        both on average.
    camouflage: chance that an object is painted like another thing in the room, often its wall.
    noise: times the plain sensor's noise of depth, color and reconstruction.
    fusion: radius in meters within which the reconstruction blends surfaces: rounds edges and joins
        what is thin to what it lies on.
    holes: holes in the reconstruction, on average.
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
