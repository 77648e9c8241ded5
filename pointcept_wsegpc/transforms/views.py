"""Choice of views, voxelisation, and the links between voxels and pixels.

Shapes: N points, M voxels, V views of H x W pixels, L links. Coordinates in metres; pixel centres
at integers.
"""

import numpy as np


def sample_views(num_frames, num_views, rng=None):
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


def point_features(color, normal):
    """Network input (N, 6) float32: colour 0..255 to -1..1, and the normal."""
    color = np.asarray(color, np.float32) / np.float32(127.5) - np.float32(1)
    return np.concatenate([color, np.asarray(normal, np.float32)], axis=1)


def concatenate_links(links):
    """Join the (point, row, col) of V views into one table of named columns, each (L,) int64."""
    view = np.repeat(np.arange(len(links)), [len(point) for point, _, _ in links])
    names = ("link_point", "link_row", "link_col")
    columns = {
        name: np.concatenate([np.empty(0, np.int64), *(link[i] for link in links)])
        for i, name in enumerate(names)
    }
    return {"link_view": view.astype(np.int64), **columns}
