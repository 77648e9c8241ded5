"""Priors of whole data sets: a predictor's scores of all views of a scene, lifted to its points.

Shapes: N points, C classes of the data set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from ..camera import resize_intrinsic
from ..camera.resample import nearest_index
from ..contracts.classes import IGNORE, ClassTable
from ..contracts.label_store import LabelStore
from ..contracts.scene import read_points
from ..contracts.tags import tag_vector
from ..contracts.views import read_view_image, read_views, view_path
from .base import Predictor, class_map, to_table
from .lift import Fusion


def lift_scene(
    scene: Path,
    predictor: Predictor,
    table: ClassTable,
    tags: Sequence[str] | None = None,
    mapping: Mapping[str, str] | None = None,
    how: str = "log",
    tolerance: tuple[float, float] = (0.05, 0.05),
    key: str | None = None,
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Class probabilities of a prepared scene's points from a predictor's scores of its views.

    tags: class names of the scene, all others get no probability; mapping: see `class_map`; how,
    tolerance: see `lift`. Where depth images are missing, a z-buffer of the points takes their
    place. key: what the predictor knows the scene by; default: its folder's name.
    Returns: probs (N, C) float32, seen (N,) int64, and the frames without a prediction.
    """
    coord = torch.from_numpy(read_points(scene, ("coord",))["coord"])
    index, _, _ = class_map(predictor.names, table, mapping)
    masked = None if tags is None else tag_vector(tags, table)
    fusion = Fusion(coord, len(table), tolerance, masked, how)
    views = read_views(scene)
    skipped = []
    for view, frame in enumerate(views.frame.tolist()):
        image = read_view_image(scene, frame, "color")
        scores = predictor.scores(key or scene.name, frame, image)
        if scores is None:
            skipped.append(frame)
            continue
        size = scores.shape[1:]
        intrinsic = resize_intrinsic(views.intrinsic[view], image.shape[:2], size)
        fusion.add(
            torch.from_numpy(to_table(scores, index, len(table))),
            torch.from_numpy(intrinsic),
            torch.from_numpy(views.world_to_camera[view]),
            _depth(scene, frame, size),
        )
    probs, seen = fusion.result()
    return probs.numpy(), seen.numpy(), skipped


def write_prior(
    scene: tuple[str, Path],
    predictor: Predictor,
    table: ClassTable,
    store: LabelStore,
    scene_tags: Mapping[str, Sequence[str]] | None = None,
    **settings,
) -> list[int]:
    """Lift the predictions of a scene, (key, folder), into an opened store; settings: `lift_scene`.

    key: of the scene in store and tags, see `scene_key`. scene_tags: {key: class names}, None:
    without tags. Returns the frames without a prediction.
    """
    key, folder = scene
    tags = None if scene_tags is None else scene_tags[key]
    probs, seen, skipped = lift_scene(folder, predictor, table, tags, key=key, **settings)
    label = np.where(seen > 0, probs.argmax(1), IGNORE)
    store.write(
        key,
        label,
        probs.max(1),
        region=np.full(len(label), -1),  # region voting is left to the reader of the prior
        region_probs=np.zeros((0, len(table))),
        point_probs=probs,
    )
    return skipped


def _depth(scene: Path, frame: int, size: tuple[int, int]) -> torch.Tensor | None:
    """Measured depth (H, W) m of a view on a grid of another size; None where there is none."""
    if not view_path(scene, frame, "depth").is_file():
        return None
    depth = read_view_image(scene, frame, "depth")
    row, col = (nearest_index(old, new) for old, new in zip(depth.shape, size, strict=True))
    return torch.from_numpy(depth[row[:, None], col])
