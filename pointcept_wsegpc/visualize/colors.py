"""Colors of classes."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ..contracts.classes import IGNORE, ClassTable

NO_LABEL = (70, 70, 70)


def palette(num_classes: int) -> np.ndarray:
    """Distinct uint8 colors (C + 1, 3) for figures; the last, gray, is IGNORE's (index -1)."""
    import colorsys

    golden = 0.618033988749895  # successive hues far apart, whatever the number of classes
    rows = [
        colorsys.hsv_to_rgb((0.08 + i * golden) % 1, (0.85, 0.55)[i % 2], (0.95, 0.7, 0.85)[i % 3])
        for i in range(num_classes)
    ]
    return (np.array([*rows, (0.6, 0.6, 0.6)]) * 255).astype(np.uint8)


def label_colors(table: ClassTable, none: tuple[int, int, int] = NO_LABEL) -> np.ndarray:
    """Colors (C + 1, 3) uint8 of a class table, its own or a palette's; the last is IGNORE's."""
    colors = palette(len(table))[:-1] if table.colors is None else table.colors
    return np.array([*colors, none], np.uint8)


def legend_of(label: Collection[int], table: ClassTable) -> list[tuple[str, np.ndarray]]:
    """(name, color) of the classes among some labels, and of IGNORE where it is one of them."""
    names = {**dict(enumerate(table.names)), IGNORE: "no label"}
    return [(name, label_colors(table)[i]) for i, name in names.items() if i in label]
