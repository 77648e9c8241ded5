"""Transforms of one sample, a dictionary of named arrays (N points, G voxels); settings follow it.

Random ones draw from numpy's global generator, as Pointcept's do (which also use Python's): a data
set that wants repeatable samples seeds both before it calls them. Lengths in meters, colors in
0..255.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

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


def transform(function):
    """Register a function of a sample; what a configuration names are its other arguments."""

    @TRANSFORMS.register_module(function.__name__)
    @functools.wraps(function)
    def build(**settings):
        if settings.get("mode") not in (None, "train", "random"):
            raise NotInStandIn(f"{function.__name__}(mode={settings['mode']!r}) is")
        return functools.partial(function, **settings)

    return function


def index_operator(data_dict: dict, index: np.ndarray) -> dict:
    """Select points; only the keys listed in ``data_dict["index_valid_keys"]`` are per point."""
    for key in data_dict.setdefault("index_valid_keys", list(INDEX_VALID_KEYS)):
        if key in data_dict:
            data_dict[key] = data_dict[key][index]
    return data_dict


@transform
def Copy(data_dict, keys_dict):
    """Keep the arrays that ``keys_dict`` names under a second name, ``{from: to}``."""
    return {**data_dict, **{new: data_dict[key].copy() for key, new in keys_dict.items()}}


@transform
def ToTensor(data):
    """Integers to int64, floats to float32, booleans and strings stay, containers recursively."""
    if isinstance(data, (torch.Tensor, str)):
        return data
    if isinstance(data, Mapping):
        return {key: ToTensor(value) for key, value in data.items()}
    if isinstance(data, Sequence):
        return [ToTensor(value) for value in data]
    data = np.atleast_1d(data)
    if data.dtype.kind not in "buif":
        raise TypeError(f"got {data.dtype} for a tensor; expected numbers, strings or containers")
    types = {"b": torch.bool, "f": torch.float32}
    return torch.from_numpy(data).to(types.get(data.dtype.kind, torch.int64))


@transform
def Collect(data_dict, keys, offset_keys_dict=None, **joined):
    """What the batch gets: ``keys`` as they are; the arrays of ``X_keys`` side by side as ``X``, in
    float32; for each ``{name: key}`` of ``offset_keys_dict`` the number of rows of that key."""
    data = {key: data_dict[key] for key in ([keys] if isinstance(keys, str) else keys)}
    for name, key in (offset_keys_dict or {"offset": "coord"}).items():
        data[name] = torch.tensor([len(data_dict[key])])
    for name, parts in joined.items():
        data[name.replace("_keys", "")] = torch.cat([data_dict[k].float() for k in parts], dim=1)
    return data


@transform
def GridSample(
    data_dict,
    grid_size=0.05,
    hash_type="fnv",
    mode="train",
    return_inverse=False,
    return_grid_coord=False,
):
    """One random point per occupied voxel of edge ``grid_size``.

    ``return_grid_coord`` adds ``grid_coord`` (G, 3), voxel indices from 0; ``return_inverse`` adds
    ``inverse`` (N,), the voxel of each original point. Voxels are compared exactly, so any
    ``hash_type`` that a configuration names for Pointcept gives the same voxels here.
    """
    voxel = np.floor(data_dict["coord"] / np.array(grid_size)).astype(np.int64)
    voxel -= voxel.min(0)
    key = np.ravel_multi_index(voxel.T, voxel.max(0) + 1)
    # In a random order of the points, the first of a voxel is any of its points.
    order = np.random.permutation(len(key))
    _, first, inverse = np.unique(key[order], return_index=True, return_inverse=True)
    chosen = order[first]
    index_operator(data_dict, chosen)
    if return_inverse:
        data_dict["inverse"] = np.empty_like(inverse)
        data_dict["inverse"][order] = inverse
    if return_grid_coord:
        data_dict["grid_coord"] = voxel[chosen]
        data_dict["index_valid_keys"] = [*data_dict["index_valid_keys"], "grid_coord"]
    return data_dict


@transform
def SphereCrop(data_dict, point_max=80000, mode="random"):
    """Only the ``point_max`` points nearest to a random one, where there are more."""
    coord = data_dict["coord"]
    if len(coord) <= point_max:
        return data_dict
    distance = ((coord - coord[np.random.randint(len(coord))]) ** 2).sum(1)
    nearest = np.argsort(distance, kind="stable")  # ties by index: the same on every CPU
    return index_operator(data_dict, nearest[:point_max])


@transform
def CenterShift(data_dict, apply_z=True):
    """Put the middle of the bounding box over the origin, and the floor at z = 0 if ``apply_z``."""
    low, high = data_dict["coord"].min(0), data_dict["coord"].max(0)
    shift = (low + high) / 2
    shift[2] = low[2] if apply_z else 0
    return {**data_dict, "coord": data_dict["coord"] - shift}


@transform
def RandomRotate(data_dict, angle=(-1, 1), center=None, axis="z", always_apply=False, p=0.5):
    """With probability ``p`` turn about ``axis`` by an angle drawn from ``angle`` · π radians,
    around ``center`` (None: the middle of the bounding box). Normals turn too."""
    if np.random.rand() >= (1 if always_apply else p):
        return data_dict
    coord, c = data_dict["coord"], "xyz".index(axis)
    center = (coord.min(0) + coord.max(0)) / 2 if center is None else center
    center = np.asarray(center, coord.dtype)
    radians = np.random.uniform(*angle) * np.pi
    matrix, a, b = np.eye(3, dtype=coord.dtype), (c + 1) % 3, (c + 2) % 3
    matrix[a, a] = matrix[b, b] = np.cos(radians)
    matrix[a, b], matrix[b, a] = -np.sin(radians), np.sin(radians)
    data_dict["coord"] = (coord - center) @ matrix.T + center
    if "normal" in data_dict:
        data_dict["normal"] = data_dict["normal"] @ matrix.T
    return data_dict


@transform
def RandomScale(data_dict, scale=(0.95, 1.05)):
    """Multiply coordinates by a factor drawn from ``scale``."""
    factor = np.float32(np.random.uniform(*scale))
    return {**data_dict, "coord": data_dict["coord"] * factor}


@transform
def RandomFlip(data_dict, p=0.5):
    """Mirror x, and independently y, each with probability ``p``. Normals too."""
    flipped = np.append(np.random.rand(2) < p, False)
    sign = np.where(flipped, -1, 1).astype(np.float32)
    return {**data_dict, **{k: data_dict[k] * sign for k in {"coord", "normal"} & data_dict.keys()}}


@transform
def RandomJitter(data_dict, sigma=0.01, clip=0.05):
    """Normal noise on coordinates: standard deviation ``sigma``, cut off at ``clip``."""
    noise = (sigma * np.random.standard_normal(data_dict["coord"].shape)).clip(-clip, clip)
    return {**data_dict, "coord": data_dict["coord"] + noise.astype(np.float32)}


def recolor(data_dict: dict, p: float, change) -> dict:
    """With probability ``p``, if there is color, ``change`` it."""
    if "color" in data_dict and np.random.rand() < p:
        data_dict["color"] = change(data_dict["color"]).clip(0, 255).astype(np.float32)
    return data_dict


@transform
def ChromaticAutoContrast(data_dict, p=0.2, blend_factor=None):
    """Blend with the colors stretched to 0..255 (``blend_factor`` None: a random one)."""

    def change(color):
        low, span = color.min(0), np.ptp(color, axis=0)
        if not span.any():
            return color
        # A channel of one value cannot be stretched: only shifted, as Pointcept does.
        stretched = (color - low) * np.where(span > 0, 255 / np.maximum(span, 1e-6), 1)
        blend = np.random.rand() if blend_factor is None else blend_factor
        return (1 - blend) * color + blend * stretched

    return recolor(data_dict, p, change)


@transform
def ChromaticTranslation(data_dict, p=0.95, ratio=0.05):
    """Shift each channel by up to ``ratio`` of its range."""
    return recolor(data_dict, p, lambda c: c + np.random.uniform(-ratio, ratio, (1, 3)) * 255)


@transform
def ChromaticJitter(data_dict, p=0.95, std=0.005):
    """Normal noise per point and channel, ``std`` of the range."""
    return recolor(data_dict, p, lambda c: c + np.random.standard_normal(c.shape) * std * 255)
