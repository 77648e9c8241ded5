"""Augmentation of colours (N, 3) in 0..255."""

from __future__ import annotations

import numpy as np

from .builder import TRANSFORMS


class _ChromaticTransform:
    """With probability ``p`` (if there is colour), ``change`` the colour (N, 3)."""

    def __init__(self, p):
        self.p = p

    def __call__(self, data_dict):
        if "color" in data_dict and np.random.rand() < self.p:
            data_dict["color"] = self.change(data_dict["color"]).astype(np.float32)
        return data_dict


@TRANSFORMS.register_module()
class ChromaticAutoContrast(_ChromaticTransform):
    """Blend with the colours stretched to 0..255 (``blend_factor`` None: a random one)."""

    def __init__(self, p=0.2, blend_factor=None):
        super().__init__(p)
        self.blend_factor = blend_factor

    def change(self, color):
        low, span = color.min(0), np.ptp(color, axis=0)
        # A channel of one value cannot be stretched: only shifted, as Pointcept does.
        stretched = (color - low) * np.where(span > 0, 255 / np.maximum(span, 1e-6), 1)
        if not span.any():
            return color
        blend = np.random.rand() if self.blend_factor is None else self.blend_factor
        return (1 - blend) * color + blend * stretched


@TRANSFORMS.register_module()
class ChromaticTranslation(_ChromaticTransform):
    """Shift each channel by up to ``ratio`` of its range."""

    def __init__(self, p=0.95, ratio=0.05):
        super().__init__(p)
        self.ratio = ratio

    def change(self, color):
        shift = np.random.uniform(-self.ratio, self.ratio, (1, 3)) * 255
        return (color + shift).clip(0, 255)


@TRANSFORMS.register_module()
class ChromaticJitter(_ChromaticTransform):
    """Normal noise per point and channel, ``std`` of the range."""

    def __init__(self, p=0.95, std=0.005):
        super().__init__(p)
        self.std = std

    def change(self, color):
        return (color + np.random.standard_normal(color.shape) * self.std * 255).clip(0, 255)


@TRANSFORMS.register_module()
class NormalizeColor:
    """0..255 to 0..1."""

    def __call__(self, data_dict):
        if "color" in data_dict:
            data_dict["color"] = data_dict["color"] / 255
        return data_dict
