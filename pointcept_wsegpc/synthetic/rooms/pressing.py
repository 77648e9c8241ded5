"""Furniture pushed together: to the wall, against a neighbour, and made level with it.

Boxes are axis-aligned, (2, 3): lower and upper corner, meters.
"""

from __future__ import annotations

import numpy as np

from .shapes import Model, rotation_z

REACH = 0.8  # meters that a thing is moved at most
ALIKE = (0.7, 1.4)  # ratios of two heights or depths that are made equal
CONTACT = 0.02  # meters by which two boxes must overlap sideways to meet


def pressed(model: Model, others: list[tuple[np.ndarray, Model]], size: np.ndarray) -> Model:
    """Move a model with its back to a wall to that wall and against its nearer neighbor.

    others: boxes and their owners, in the room of `size` (3,). What it touches then, it is level
    with, where that is a piece of furniture of a like height, and flush with, on the same wall.
    """
    back, side = (np.rint(rotation_z(model.yaw) @ axis) for axis in ((0, -1, 0), (1, 0, 0)))
    model = _moved(model, back, gap_to_wall(model.bounds(), back, size))
    model, neighbour = against_neighbour(model, (side, -side), others, size)
    if neighbour is None or neighbour.opening is not None:
        return model
    level = model.stretched(_factors(model, neighbour))
    boxes = [box for box, owner in others if owner is not neighbour]
    return level if _is_free(level.bounds(), boxes, size) else model


def against_neighbour(model: Model, directions, others, size) -> tuple[Model, Model | None]:
    """Move a model along one of the directions to the nearest obstacle; also return that one.

    None: it met a wall, or nothing within REACH.
    """
    box, best = model.bounds(), (REACH, None, None)
    for direction in directions:
        found = [(gap_to_wall(box, direction, size), None)]
        found += [(gap_to_box(box, direction, other), owner) for other, owner in others]
        gap, owner = min(found, key=lambda pair: pair[0])
        if gap < best[0]:
            best = gap, owner, direction
    gap, owner, direction = best
    return (model, None) if direction is None else (_moved(model, direction, gap), owner)


def recessed(model: Model, protrusion: float) -> Model:
    """Build a model into the wall behind it, all but `protrusion` meters."""
    front = model.in_own_frame().bounds()[1, 1]
    return model.placed(rotation_z(model.yaw) @ (0, protrusion - front, 0))


def gap_to_wall(box: np.ndarray, direction: np.ndarray, size: np.ndarray) -> float:
    """Meters from a box to the wall that lies in `direction` (3,), a unit vector along an axis."""
    axis = int(np.abs(direction).argmax())
    return size[axis] - box[1, axis] if direction[axis] > 0 else box[0, axis]


def gap_to_box(box: np.ndarray, direction: np.ndarray, other: np.ndarray) -> float:
    """Meters to another box in `direction`; infinite where it does not lie there."""
    axis = int(np.abs(direction).argmax())
    across = [i for i in range(3) if i != axis]
    overlap = np.minimum(box[1], other[1]) - np.maximum(box[0], other[0])
    positive = direction[axis] > 0
    gap = other[0, axis] - box[1, axis] if positive else box[0, axis] - other[1, axis]
    return gap if gap >= 0 and (overlap[across] > CONTACT).all() else np.inf


def _moved(model: Model, direction: np.ndarray, length: float) -> Model:
    return model.placed(direction * max(length, 0.0))


def _factors(model: Model, neighbour: Model) -> np.ndarray:
    """Factors (3,) that make a model as high as its neighbor and, on the same wall, as deep."""
    factor = np.ones(3)
    wanted = _height(neighbour) / _height(model)
    if ALIKE[0] < wanted < ALIKE[1]:
        factor[2] = wanted
    turn = rotation_z(-model.yaw)
    if np.cos(model.yaw - neighbour.yaw) > 0.99:
        fronts = [_front(thing, model, turn) for thing in (neighbour, model)]
        wanted = fronts[0] / fronts[1]
        if ALIKE[0] < wanted < ALIKE[1]:
            factor[1] = wanted
    return factor


def _height(model: Model) -> float:
    return model.bounds()[1, 2] if model.top is None else model.position[2] + model.top[0, 2]


def _front(thing: Model, model: Model, turn: np.ndarray) -> float:
    """How far `thing` reaches from the back of `model`, meters."""
    corners = (thing.bounds() - model.position) @ turn.T
    return corners[:, 1].max()


def _is_free(box: np.ndarray, boxes: list[np.ndarray], size: np.ndarray) -> bool:
    if (box[0, :2] < -0.01).any() or (box[1] > size + 0.01).any():
        return False
    return not any(
        (np.minimum(box[1], o[1]) - np.maximum(box[0], o[0]) > 0.005).all() for o in boxes
    )
