"""Mix3D: two scenes overlap in one student cloud, so context alone cannot give a class away.

The teacher keeps the two apart. Shapes: N points.
"""

import numpy as np


def scatter_scenes(coords, rng):
    """Move each cloud to the origin and then at random by up to half its extent.

    Args: coords: list of (N_i, 3) m. Returns the same list, moved; one cloud alone is not moved.
    """
    if len(coords) < 2:
        return coords
    moved = []
    for coord in coords:
        centred = coord - coord.mean(0)
        shift = rng.uniform(centred.min(0), centred.max(0)) / 2
        moved.append((centred + shift).astype(np.float32))
    return moved
