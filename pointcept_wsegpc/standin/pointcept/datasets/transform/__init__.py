"""Transforms of one sample, a dictionary of named arrays (N points, G voxels).

Random ones draw from numpy's global generator, as Pointcept's do (which also use Python's): a data
set that wants repeatable samples seeds both before it calls them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy

import numpy as np
import torch

from pointcept.limits import NotInStandIn
from pointcept.utils.registry import Registry

TRANSFORMS = Registry("transforms")
INDEX_VALID_KEYS = ("coord", "color", "normal", "superpoint", "strength", "segment", "instance")


class Compose:
    """The configured transforms, one after the other."""

    def __init__(self, cfg=None):
        self.transforms = [TRANSFORMS.build(transform_cfg) for transform_cfg in cfg or []]

    def __call__(self, data_dict):
        for transform in self.transforms:
            data_dict = transform(data_dict)
        return data_dict


def index_operator(data_dict: dict, index: np.ndarray) -> dict:
    """Select points; only the keys listed in ``data_dict["index_valid_keys"]`` are per point."""
    for key in data_dict.setdefault("index_valid_keys", list(INDEX_VALID_KEYS)):
        if key in data_dict:
            data_dict[key] = data_dict[key][index]
    return data_dict


# Arrays -------------------------------------------------------------------------------------------


@TRANSFORMS.register_module()
class Copy:
    """Keep what ``keys_dict`` names under a second name, ``{from: to}``."""

    def __init__(self, keys_dict=None):
        self.keys_dict = keys_dict or {"coord": "origin_coord", "segment": "origin_segment"}

    def __call__(self, data_dict):
        copies = {new: deepcopy(data_dict[key]) for key, new in self.keys_dict.items()}
        return {**data_dict, **copies}


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
    """One random point per occupied voxel of edge ``grid_size`` meters.

    ``return_grid_coord`` adds ``grid_coord`` (G, 3), voxel indices from 0; ``return_inverse`` adds
    ``inverse`` (N,), the voxel of each original point. Voxels are compared exactly, so any
    ``hash_type`` that a configuration names for Pointcept gives the same voxels here.
    """

    def __init__(
        self, grid_size=0.05, hash_type="fnv", mode="train", return_inverse=False,
        return_grid_coord=False,
    ):  # fmt: skip
        if mode != "train":
            raise NotInStandIn(f"GridSample(mode={mode!r}) is")
        self.grid_size = grid_size
        self.return_inverse, self.return_grid_coord = return_inverse, return_grid_coord

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


# Coordinates and normals (N, 3) -------------------------------------------------------------------


@TRANSFORMS.register_module()
class CenterShift:
    """Put the middle of the bounding box over the origin, and the floor at z = 0 if ``apply_z``."""

    def __init__(self, apply_z=True):
        self.apply_z = apply_z

    def __call__(self, data_dict):
        low, high = data_dict["coord"].min(0), data_dict["coord"].max(0)
        shift = (low + high) / 2
        shift[2] = low[2] if self.apply_z else 0
        return {**data_dict, "coord": data_dict["coord"] - shift}


@TRANSFORMS.register_module()
class RandomRotate:
    """With probability ``p`` turn about ``axis`` by an angle drawn from ``angle`` · π radians,
    around ``center`` (meters; None: the middle of the bounding box). Normals turn too."""

    def __init__(self, angle=None, center=None, axis="z", always_apply=False, p=0.5):
        self.angle, self.center, self.axis = angle or [-1, 1], center, "xyz".index(axis)
        self.p = 1 if always_apply else p

    def __call__(self, data_dict):
        if np.random.rand() >= self.p:
            return data_dict
        coord = data_dict["coord"]
        center = (coord.min(0) + coord.max(0)) / 2 if self.center is None else self.center
        center = np.asarray(center, coord.dtype)
        angle = np.random.uniform(*self.angle) * np.pi
        matrix, a, b = np.eye(3), (self.axis + 1) % 3, (self.axis + 2) % 3
        matrix[a, a] = matrix[b, b] = np.cos(angle)
        matrix[a, b], matrix[b, a] = -np.sin(angle), np.sin(angle)
        turn = matrix.astype(coord.dtype).T
        data_dict["coord"] = (coord - center) @ turn + center
        if "normal" in data_dict:
            data_dict["normal"] = data_dict["normal"] @ turn
        return data_dict


@TRANSFORMS.register_module()
class RandomScale:
    """Multiply coordinates by a factor drawn from ``scale``, one per axis if ``anisotropic``."""

    def __init__(self, scale=None, anisotropic=False):
        self.scale, self.count = scale or [0.95, 1.05], 3 if anisotropic else 1

    def __call__(self, data_dict):
        factor = np.random.uniform(*self.scale, self.count)
        return {**data_dict, "coord": data_dict["coord"] * factor.astype(np.float32)}


@TRANSFORMS.register_module()
class RandomFlip:
    """Mirror x, and independently y, each with probability ``p``. Normals too."""

    def __init__(self, p=0.5):
        self.p = p

    def __call__(self, data_dict):
        flipped = np.append(np.random.rand(2) < self.p, False)
        sign = np.where(flipped, -1, 1).astype(np.float32)
        for key in {"coord", "normal"} & data_dict.keys():
            data_dict[key] = data_dict[key] * sign
        return data_dict


@TRANSFORMS.register_module()
class RandomJitter:
    """Normal noise on coordinates: standard deviation ``sigma``, cut off at ``clip`` (meters)."""

    def __init__(self, sigma=0.01, clip=0.05):
        self.sigma, self.clip = sigma, clip

    def __call__(self, data_dict):
        noise = self.sigma * np.random.standard_normal(data_dict["coord"].shape)
        noise = noise.clip(-self.clip, self.clip).astype(np.float32)
        return {**data_dict, "coord": data_dict["coord"] + noise}


# Colors (N, 3) in 0..255 -------------------------------------------------------------------------


class _Chromatic:
    """With probability ``p`` (if there is color), ``change`` the color (N, 3)."""

    def __init__(self, p=0.95, **amount):
        self.p = p
        self.__dict__.update(amount)

    def __call__(self, data_dict):
        if "color" in data_dict and np.random.rand() < self.p:
            data_dict["color"] = self.change(data_dict["color"]).astype(np.float32)
        return data_dict


@TRANSFORMS.register_module()
class ChromaticAutoContrast(_Chromatic):
    """Blend with the colors stretched to 0..255 (``blend_factor`` None: a random one)."""

    def __init__(self, p=0.2, blend_factor=None):
        super().__init__(p, blend_factor=blend_factor)

    def change(self, color):
        low, span = color.min(0), np.ptp(color, axis=0)
        # A channel of one value cannot be stretched: only shifted, as Pointcept does.
        stretched = (color - low) * np.where(span > 0, 255 / np.maximum(span, 1e-6), 1)
        if not span.any():
            return color
        blend = np.random.rand() if self.blend_factor is None else self.blend_factor
        return (1 - blend) * color + blend * stretched


@TRANSFORMS.register_module()
class ChromaticTranslation(_Chromatic):
    """Shift each channel by up to ``ratio`` of its range."""

    def __init__(self, p=0.95, ratio=0.05):
        super().__init__(p, ratio=ratio)

    def change(self, color):
        shift = np.random.uniform(-self.ratio, self.ratio, (1, 3)) * 255
        return (color + shift).clip(0, 255)


@TRANSFORMS.register_module()
class ChromaticJitter(_Chromatic):
    """Normal noise per point and channel, ``std`` of the range."""

    def __init__(self, p=0.95, std=0.005):
        super().__init__(p, std=std)

    def change(self, color):
        return (color + np.random.standard_normal(color.shape) * self.std * 255).clip(0, 255)


@TRANSFORMS.register_module()
class NormalizeColor:
    """0..255 to 0..1."""

    def __call__(self, data_dict):
        return data_dict | ({"color": data_dict["color"] / 255} if "color" in data_dict else {})
