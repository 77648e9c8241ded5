"""How well points lie where depth images see a surface. Metres, pixels."""

import numpy as np

FOOTPRINT = 2.0  # pixels by which a slanted surface may be off


def spread(size, count):
    """At most `count` of 0..size-1, evenly spread."""
    return np.unique(np.linspace(0, max(size - 1, 0), min(size, count)).round().astype(np.int64))
