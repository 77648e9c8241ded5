"""Colour jitter and normalisation of views.

Shapes: V views of H x W pixels, RGB in 0..1. Brightness, contrast, saturation and hue are all
affine maps of a colour, so a view's whole jitter is one 3 x 3 matrix and an offset: one pass.
"""

import numpy as np

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LUMA = np.array([0.299, 0.587, 0.114])
# RGB to YIQ; a rotation in its I-Q plane turns the hue and keeps the luma.
RGB_TO_YIQ = np.array([LUMA, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
YIQ_TO_RGB = np.linalg.inv(RGB_TO_YIQ)


def jitter_matrix(mean, brightness, contrast, saturation, hue):
    """The affine colour map (matrix (3, 3), offset (3,)) of one jitter.

    Args: mean (3,), the image's mean colour; brightness, contrast, saturation: factors, 1 = as is;
        hue: turns, 0 = as is. Applied in this order, contrast around the mean luma.
    """
    matrix, offset = brightness * np.eye(3), np.zeros(3)
    grey = LUMA @ (matrix @ mean)
    matrix, offset = contrast * matrix, (1 - contrast) * grey * np.ones(3)
    desaturate = saturation * np.eye(3) + (1 - saturation) * np.outer(np.ones(3), LUMA)
    cos, sin = np.cos(2 * np.pi * hue), np.sin(2 * np.pi * hue)
    rotation = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    last = YIQ_TO_RGB @ rotation @ RGB_TO_YIQ @ desaturate
    return last @ matrix, last @ offset


def sample_jitter(strength, mean, rng):
    """Draw one jitter; strength = (brightness, contrast, saturation, hue) half-ranges."""
    *scales, hue = strength
    factors = [rng.uniform(max(0, 1 - s), 1 + s) for s in scales]
    return jitter_matrix(mean, *factors, rng.uniform(-hue, hue))


def prepare_images(color, mean, std, strength=None, rng=None):
    """Jitter each view on its own, clip to 0..1, normalise; -> (V, 3, H, W) float32.

    Args: color, V images (H, W, 3) uint8 of one size, or an array (V, H, W, 3); mean, std (3,) of
        RGB in 0..1; strength: see `sample_jitter`, None = no jitter.
    """
    mean, std = np.asarray(mean, np.float32), np.asarray(std, np.float32)
    size = color.shape[1:3] if isinstance(color, np.ndarray) else np.shape(color[0])[:2]
    result = np.empty((len(color), 3, *size), np.float32)
    for image, out in zip(color, result, strict=True):
        pixels = image.reshape(-1, 3).astype(np.float32) / np.float32(255)
        if strength is not None:
            matrix, offset = sample_jitter(strength, pixels.mean(0), rng)
            pixels = pixels @ matrix.T.astype(np.float32) + offset.astype(np.float32)
            np.clip(pixels, 0, 1, out=pixels)
        pixels = (pixels - mean) / std
        out[:] = pixels.T.reshape(out.shape)
    return result
