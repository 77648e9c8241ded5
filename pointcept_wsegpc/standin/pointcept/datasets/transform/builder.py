"""Registry of transforms, their composition, and the selection of points."""

from __future__ import annotations

import numpy as np

from pointcept.utils.registry import Registry

TRANSFORMS = Registry("transforms")

INDEX_VALID_KEYS = ("coord", "color", "normal", "superpoint", "strength", "segment", "instance")


def index_operator(data_dict: dict, index: np.ndarray) -> dict:
    """Select points; only the keys listed in ``data_dict["index_valid_keys"]`` are per point."""
    for key in data_dict.setdefault("index_valid_keys", list(INDEX_VALID_KEYS)):
        if key in data_dict:
            data_dict[key] = data_dict[key][index]
    return data_dict


class Compose:
    """The configured transforms, one after the other."""

    def __init__(self, cfg=None):
        self.transforms = [TRANSFORMS.build(transform_cfg) for transform_cfg in cfg or []]

    def __call__(self, data_dict):
        for transform in self.transforms:
            data_dict = transform(data_dict)
        return data_dict
