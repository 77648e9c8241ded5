"""Transforms of stage two, shared by the configs of several data sets.

A config cannot reuse part of its base's list, so the shared transforms are functions.
"""

from __future__ import annotations

from collections.abc import Sequence

FEATURES = ("color", "normal")  # point features that the networks read
TEACHER = (  # the geometry that the teacher sees in stage one
    {"type": "RandomFlip", "p": 0.5},
    {
        "type": "RandomRotate",
        "angle": [-1 / 36, 1 / 36],
        "axis": "z",
        "center": [0, 0, 0],
        "p": 0.5,
    },
)
COLOR = (
    {"type": "ChromaticAutoContrast", "p": 0.2},
    {"type": "ChromaticTranslation", "p": 0.95, "ratio": 0.1},
    {"type": "ChromaticJitter", "p": 0.95, "std": 0.05},
    {"type": "WSegPCHueSaturation", "hue_max": 0.5, "saturation_max": 0.2},
)


def train_transforms(
    grid_size: float,
    color: Sequence[dict] = COLOR,
    crop: Sequence[dict] = (),
    features: Sequence[str] = FEATURES,
    first: Sequence[dict] = (),
) -> list[dict]:
    """Of training scenes: geometry, voxels of grid_size m, crop, color, and what is collected.

    first: geometry before the geometry of this stage, such as the teacher's in stage one.
    """
    return [
        {"type": "CenterShift", "apply_z": True},
        *first,
        {"type": "RandomFlip", "p": 0.5},
        {"type": "RandomRotate", "angle": [-1, 1], "axis": "z", "center": [0, 0, 0], "p": 0.5},
        {"type": "RandomScale", "scale": [0.8, 1.2]},
        {"type": "RandomJitter", "sigma": 0.005, "clip": 0.02},
        {"type": "GridSample", "grid_size": grid_size, "mode": "train", "return_grid_coord": True},
        *crop,
        *color,
        *_collected(("coord", "grid_coord", "segment"), features),
    ]


def val_transforms(grid_size: float, features: Sequence[str] = FEATURES) -> list[dict]:
    """Of validation scenes, which are evaluated on their original points."""
    return [
        {"type": "CenterShift", "apply_z": True},
        {"type": "Copy", "keys_dict": {"segment": "origin_segment"}},
        {
            "type": "GridSample",
            "grid_size": grid_size,
            "mode": "train",
            "return_grid_coord": True,
            "return_inverse": True,
        },
        *_collected(("coord", "grid_coord", "segment", "origin_segment", "inverse"), features),
    ]


def _collected(keys, features):
    scale = [{"type": "WSegPCScaleColor"}] if "color" in features else []
    collect = {"type": "Collect", "keys": keys, "feat_keys": tuple(features)}
    return [*scale, {"type": "ToTensor"}, collect]
