"""Colours of classes."""

import numpy as np

from ..contracts.classes import SCANNET20_NAMES

# Colours of the ScanNet benchmark, in the order of its classes.
SCANNET20_COLORS = (
    (174, 199, 232), (152, 223, 138), (31, 119, 180), (255, 187, 120), (188, 189, 34),
    (140, 86, 75), (255, 152, 150), (214, 39, 40), (197, 176, 213), (148, 103, 189),
    (196, 156, 148), (23, 190, 207), (247, 182, 210), (219, 219, 141), (255, 127, 14),
    (158, 218, 229), (44, 160, 44), (112, 128, 144), (227, 119, 194), (82, 84, 163),
)  # fmt: skip
NO_LABEL = (70, 70, 70)


def palette(num_classes: int) -> np.ndarray:
    """Distinct uint8 colours (C + 1, 3) for figures; the last, grey, is IGNORE's (index -1)."""
    import colorsys

    golden = 0.618033988749895  # successive hues far apart, whatever the number of classes
    rows = [
        colorsys.hsv_to_rgb((0.08 + i * golden) % 1, (0.85, 0.55)[i % 2], (0.95, 0.7, 0.85)[i % 3])
        for i in range(num_classes)
    ]
    return (np.array([*rows, (0.6, 0.6, 0.6)]) * 255).astype(np.uint8)


def label_colors(names):
    """Colours (C + 1, 3) uint8 of a class table; the last, dark, is that of IGNORE."""
    colors = SCANNET20_COLORS if tuple(names) == SCANNET20_NAMES else palette(len(names))[:-1]
    return np.array([*colors, NO_LABEL], np.uint8)
