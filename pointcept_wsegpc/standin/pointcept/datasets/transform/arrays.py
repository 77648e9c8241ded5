"""What happens to the arrays of a sample as such (N points, G voxels)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy

import numpy as np
import torch

from pointcept.limits import NotInStandIn

from .builder import TRANSFORMS, index_operator


@TRANSFORMS.register_module()
class Copy:
    """Keep what ``keys_dict`` names under a second name, ``{from: to}``."""

    def __init__(self, keys_dict=None):
        self.keys_dict = keys_dict or {"coord": "origin_coord", "segment": "origin_segment"}

    def __call__(self, data_dict):
        for source, target in self.keys_dict.items():
            data_dict[target] = deepcopy(data_dict[source])
        return data_dict


@TRANSFORMS.register_module()
class Update:
    """Set keys to fixed values, such as ``index_valid_keys``."""

    def __init__(self, keys_dict=None):
        self.keys_dict = keys_dict or {}

    def __call__(self, data_dict):
        data_dict.update(deepcopy(dict(self.keys_dict)))
        return data_dict


@TRANSFORMS.register_module()
class ToTensor:
    """Integers to int64, floats to float32, booleans stay, strings stay, containers recursively."""

    def __call__(self, data):
        if isinstance(data, (torch.Tensor, str)):
            return data
        if isinstance(data, Mapping):
            return {key: self(value) for key, value in data.items()}
        if isinstance(data, Sequence):
            return [self(value) for value in data]
        if isinstance(data, (int, float)):
            return self(np.array([data]))
        if isinstance(data, np.ndarray) and data.dtype.kind in "buif":
            types = {"b": torch.bool, "f": torch.float32}
            return torch.from_numpy(data).to(types.get(data.dtype.kind, torch.int64))
        kind = getattr(data, "dtype", type(data).__name__)
        raise TypeError(f"A {kind} cannot become a tensor: expected numbers, strings or containers")


@TRANSFORMS.register_module()
class Collect:
    """What the batch gets: ``keys`` as they are; the arrays of ``X_keys`` side by side as ``X``, in
    float32; for each ``{name: key}`` of ``offset_keys_dict`` the number of rows of that key."""

    def __init__(self, keys, offset_keys_dict=None, **kwargs):
        self.keys = [keys] if isinstance(keys, str) else keys
        self.offset_keys_dict = offset_keys_dict or {"offset": "coord"}
        self.joined = {name.replace("_keys", ""): names for name, names in kwargs.items()}

    def __call__(self, data_dict):
        data = {key: data_dict[key] for key in self.keys}
        for name, key in self.offset_keys_dict.items():
            data[name] = torch.tensor([data_dict[key].shape[0]])
        for name, keys in self.joined.items():
            data[name] = torch.cat([data_dict[key].float() for key in keys], dim=1)
        return data


@TRANSFORMS.register_module()
class GridSample:
    """One random point per occupied voxel of edge ``grid_size`` metres.

    ``return_grid_coord`` adds ``grid_coord`` (G, 3), voxel indices from 0; ``return_inverse`` adds
    ``inverse`` (N,), the voxel of each original point. Voxels are compared exactly, so any
    ``hash_type`` that a configuration names for Pointcept gives the same voxels here.
    """

    def __init__(
        self,
        grid_size=0.05,
        hash_type="fnv",
        mode="train",
        return_inverse=False,
        return_grid_coord=False,
    ):
        if mode != "train":
            raise NotInStandIn(f"GridSample(mode={mode!r}) is")
        self.grid_size = grid_size
        self.return_inverse = return_inverse
        self.return_grid_coord = return_grid_coord

    def __call__(self, data_dict):
        voxel = np.floor(data_dict["coord"] / np.array(self.grid_size)).astype(np.int64)
        voxel -= voxel.min(0)
        key = np.ravel_multi_index(voxel.T, voxel.max(0) + 1)
        # In a random order of the points, the first of a voxel is any of its points.
        order = np.random.permutation(len(key))
        _, first, inverse = np.unique(key[order], return_index=True, return_inverse=True)
        chosen = order[first]
        index_operator(data_dict, chosen)
        if self.return_inverse:
            data_dict["inverse"] = np.empty_like(inverse)
            data_dict["inverse"][order] = inverse
        if self.return_grid_coord:
            data_dict["grid_coord"] = voxel[chosen]
            valid = data_dict["index_valid_keys"]
            data_dict["index_valid_keys"] = list(dict.fromkeys([*valid, "grid_coord"]))
        return data_dict


@TRANSFORMS.register_module()
class SphereCrop:
    """Only the ``point_max`` points nearest to a random one, where there are more."""

    def __init__(self, point_max=80000, mode="random"):
        if mode != "random":
            raise NotInStandIn(f"SphereCrop(mode={mode!r}) is")
        self.point_max = point_max

    def __call__(self, data_dict):
        coord = data_dict["coord"]
        if len(coord) <= self.point_max:
            return data_dict
        distance = ((coord - coord[np.random.randint(len(coord))]) ** 2).sum(1)
        nearest = np.argsort(distance, kind="stable")  # ties by index: the same on every CPU
        return index_operator(data_dict, nearest[: self.point_max])


@TRANSFORMS.register_module()
class ShufflePoint:
    """Random order of the points."""

    def __call__(self, data_dict):
        return index_operator(data_dict, np.random.permutation(len(data_dict["coord"])))
