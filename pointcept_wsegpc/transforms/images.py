"""Color jitter of views.

Shapes: an image of H x W pixels, RGB in 0..1. Brightness, contrast, saturation and hue are all
affine maps of a color, so a view's whole jitter is one 3 x 3 matrix and an offset: one pass.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LUMA = np.array([0.299, 0.587, 0.114])
# RGB to YIQ; a rotation in its I-Q plane turns the hue and keeps the luma.
RGB_TO_YIQ = np.array([LUMA, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
YIQ_TO_RGB = np.linalg.inv(RGB_TO_YIQ)


def jitter_matrix(
    mean: np.ndarray, brightness: float, contrast: float, saturation: float, hue: float
) -> tuple[np.ndarray, np.ndarray]:
    """The affine color map (matrix (3, 3), offset (3,)) of one jitter.

    Args: mean (3,), the image's mean color; brightness, contrast, saturation: factors, 1 = as is;
        hue: turns, 0 = as is. Applied in this order, contrast around the mean luma.
    """
    matrix, offset = brightness * np.eye(3), np.zeros(3)
    gray = LUMA @ (matrix @ mean)
    matrix, offset = contrast * matrix, (1 - contrast) * gray * np.ones(3)
    desaturate = saturation * np.eye(3) + (1 - saturation) * np.outer(np.ones(3), LUMA)
    cos, sin = np.cos(2 * np.pi * hue), np.sin(2 * np.pi * hue)
    rotation = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    last = YIQ_TO_RGB @ rotation @ RGB_TO_YIQ @ desaturate
    return last @ matrix, last @ offset


def sample_jitter(
    strength: Sequence[float], mean: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw one jitter; strength = (brightness, contrast, saturation, hue) half-ranges."""
    *scales, hue = strength
    factors = [rng.uniform(max(0, 1 - s), 1 + s) for s in scales]
    return jitter_matrix(mean, *factors, rng.uniform(-hue, hue))


def jitter_image(
    image: np.ndarray,
    strength: Sequence[float] | None = None,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """Jitter an image (H, W, 3) uint8, clip to 0..1; -> (H * W, 3) float32, row-major.

    strength: see `sample_jitter`, None = no jitter.
    """
    pixels = image.reshape(-1, 3).astype(np.float32) / np.float32(255)
    if strength is not None:
        matrix, offset = sample_jitter(strength, pixels.mean(0), rng)
        pixels = pixels @ matrix.T.astype(np.float32) + offset.astype(np.float32)
        np.clip(pixels, 0, 1, out=pixels)
    return pixels
