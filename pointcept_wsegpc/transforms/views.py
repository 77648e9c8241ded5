"""Choice of views, and features of points.

Shapes: N points, V views, D feature channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


def sample_views(
    num_frames: int, num_views: int, rng: np.random.Generator | None = None
) -> np.ndarray:
    """One frame from each of V equal parts of the trajectory, (V,) int64 positions, ascending.

    Random within its part with `rng`, the middle of the part without. A capture with fewer frames
    than views repeats frames; one without any gives none.
    """
    if num_frames == 0:
        return np.empty(0, np.int64)
    edges = np.linspace(0, num_frames, num_views + 1)
    position = rng.random(num_views) if rng is not None else np.full(num_views, 0.5)
    chosen = np.floor(edges[:-1] + position * np.diff(edges)).astype(np.int64)
    return np.clip(chosen, 0, num_frames - 1)


def point_features(points: Mapping[str, np.ndarray], keys: Sequence[str]) -> np.ndarray:
    """Network input (N, D) float32: the named point arrays (N, ...) side by side.

    color 0..255 becomes -1..1; the others (normal, coord, strength, ...) are fed as they are.
    """
    columns = []
    for key in keys:
        array = np.asarray(points[key], np.float32).reshape(len(points[key]), -1)
        columns.append(array / np.float32(127.5) - np.float32(1) if key == "color" else array)
    return np.concatenate(columns, axis=1)
