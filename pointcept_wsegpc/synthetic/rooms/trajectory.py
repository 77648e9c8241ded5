"""A hand-held camera's way through a room."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

from .room import Room

CLEARANCE = 0.2  # meters from camera to furniture


def hand_held_path(room: Room, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Camera-to-world poses (frames, 4, 4) in the room frame.

    Somebody walks once round the room and looks across it, somewhat down, with a sway of the
    hand. Camera axes: x right, y down, z forward.
    """
    time = np.linspace(0, 1, frames, endpoint=False)
    position = _walk(room, time, rng)
    across = (room.size / 2 - position)[:, :2]
    sway = _smooth(time, 12, rng)  # (frames, 3), in radians: heading, pitch, roll
    heading = np.arctan2(across[:, 1], across[:, 0]) + 0.6 * sway[:, 0]
    pitch, roll = 0.4 + 0.25 * sway[:, 1], 0.06 * sway[:, 2:]
    level = np.stack([np.cos(heading), np.sin(heading)], 1) * np.cos(pitch)[:, None]
    forward = np.column_stack([level, -np.sin(pitch)])
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    down = np.cross(forward, right)
    tilted = right * np.cos(roll) + down * np.sin(roll)
    pose = np.tile(np.eye(4), (frames, 1, 1))
    pose[:, :3, :3] = np.stack([tilted, np.cross(forward, tilted), forward], -1)
    pose[:, :3, 3] = position
    return pose


def _walk(room: Room, time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Positions (F, 3) on the closed curve, of a few tried, that meets the least furniture."""
    best, fewest = None, np.inf
    dense = np.linspace(0, 1, 200)
    for attempt in range(30):
        angle = np.arange(8) * np.pi / 4 * rng.choice([-1, 1]) + rng.uniform(0, 2 * np.pi)
        reach = rng.uniform(0.3, 0.8 - 0.015 * attempt, (8, 1))
        knots = np.empty((8, 3))
        knots[:, :2] = np.stack([np.cos(angle), np.sin(angle)], 1) * reach * room.size[:2] / 2
        knots[:, :2] += room.size[:2] / 2
        knots[:, 2] = rng.uniform(1.35, 1.75, 8)
        curve = _closed(knots)
        points = curve(dense)[:, None]
        inside = (points > room.boxes[:, 0] - CLEARANCE) & (points < room.boxes[:, 1] + CLEARANCE)
        blocked = inside.all(-1).any(-1).sum()
        if blocked < fewest:
            best, fewest = curve, blocked
        if not blocked:
            break
    return best(time)


def _smooth(time: np.ndarray, knots: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth periodic noise of about unit size, (F, 3)."""
    return _closed(rng.uniform(-1, 1, (knots, 3)))(time)


def _closed(knots: np.ndarray) -> CubicSpline:
    """The periodic curve through knots (K, 3), over 0..1."""
    at = np.linspace(0, 1, len(knots) + 1)
    return CubicSpline(at, np.vstack([knots, knots[:1]]), bc_type="periodic")
