"""Writing a prepared scene (schema.py), of whatever capture: whole or not at all.

A capture has `name`, `split`, `root` (of the prepared data set) and `target` (the scene's folder).
Frames are an iterable of `View` (frames.py), all of one `size` (H, W), with their `log`.
"""

from dataclasses import asdict

import numpy as np

from ..contracts.classes import IGNORE
from ..contracts.views import Views, write_view_image, write_views


def store_views(folder, frames, labels=None, axis_alignment=None):
    """Write the images of all frames and views.npz; returns the manifest's entries about them.

    labels: has `kind` and `read(view, frames)` -> (H, W) or None, as those of view_labels.py.
    axis_alignment: world-to-gravity matrix (4, 4). Without a frame views.npz holds none: the caller
    decides what that means.
    """
    kept, unlabelled = [], []
    for view in frames:
        write_view_image(folder, view.frame, "color", view.color)
        write_view_image(folder, view.frame, "depth", view.depth)
        if labels:
            label = labels.read(view, frames)
            if label is None:
                unlabelled.append(view.frame)
                label = np.full(frames.size, IGNORE)
            write_view_image(folder, view.frame, "label", label)
        kept.append((view.frame, view.intrinsic, view.world_to_camera))
    number, intrinsic, world_to_camera = zip(*kept, strict=True) if kept else ((), (), ())
    align = np.eye(4) if axis_alignment is None else axis_alignment
    write_views(folder, Views(number, intrinsic, world_to_camera, frames.size, align))
    return {
        "num_views": len(kept),
        "frames": asdict(frames.log),
        "view_labels": labels.kind if labels else None,
        "unlabelled": unlabelled,
    }
