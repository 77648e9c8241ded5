"""Augmentation of coordinates and normals (N, 3)."""

from __future__ import annotations

import numpy as np

from .builder import TRANSFORMS


@TRANSFORMS.register_module()
class CenterShift:
    """Put the middle of the bounding box over the origin, and the floor at z = 0 if ``apply_z``."""

    def __init__(self, apply_z=True):
        self.apply_z = apply_z

    def __call__(self, data_dict):
        low, high = data_dict["coord"].min(0), data_dict["coord"].max(0)
        shift = (low + high) / 2
        shift[2] = low[2] if self.apply_z else 0
        data_dict["coord"] = data_dict["coord"] - shift
        return data_dict


@TRANSFORMS.register_module()
class RandomRotate:
    """With probability ``p`` turn about ``axis`` by an angle drawn from ``angle`` · π radians,
    around ``center`` (metres; None: the middle of the bounding box). Normals turn too."""

    def __init__(self, angle=None, center=None, axis="z", always_apply=False, p=0.5):
        self.angle = [-1, 1] if angle is None else angle
        self.center = center
        self.axis = "xyz".index(axis)
        self.p = 1 if always_apply else p

    def __call__(self, data_dict):
        if np.random.rand() >= self.p:
            return data_dict
        coord = data_dict["coord"]
        center = (coord.min(0) + coord.max(0)) / 2 if self.center is None else self.center
        center = np.asarray(center, coord.dtype)
        turn = self._matrix(np.random.uniform(*self.angle) * np.pi).astype(coord.dtype).T
        data_dict["coord"] = (coord - center) @ turn + center
        if "normal" in data_dict:
            data_dict["normal"] = data_dict["normal"] @ turn
        return data_dict

    def _matrix(self, angle: float) -> np.ndarray:
        matrix = np.eye(3)
        a, b = (self.axis + 1) % 3, (self.axis + 2) % 3
        matrix[a, a] = matrix[b, b] = np.cos(angle)
        matrix[a, b], matrix[b, a] = -np.sin(angle), np.sin(angle)
        return matrix


@TRANSFORMS.register_module()
class RandomScale:
    """Multiply coordinates by a factor drawn from ``scale``, one per axis if ``anisotropic``."""

    def __init__(self, scale=None, anisotropic=False):
        self.scale = [0.95, 1.05] if scale is None else scale
        self.anisotropic = anisotropic

    def __call__(self, data_dict):
        factor = np.random.uniform(*self.scale, 3 if self.anisotropic else 1)
        data_dict["coord"] = data_dict["coord"] * factor.astype(np.float32)
        return data_dict


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
    """Normal noise on coordinates: standard deviation ``sigma``, cut off at ``clip`` (metres)."""

    def __init__(self, sigma=0.01, clip=0.05):
        self.sigma = sigma
        self.clip = clip

    def __call__(self, data_dict):
        noise = self.sigma * np.random.standard_normal(data_dict["coord"].shape)
        noise = noise.clip(-self.clip, self.clip).astype(np.float32)
        data_dict["coord"] = data_dict["coord"] + noise
        return data_dict
