"""A partition: points in cubes of one size."""

from dataclasses import dataclass

import numpy as np

from pointcept_wsegpc.regions.registry import PARTITIONS


@dataclass(frozen=True)
class CubeSettings:
    size: float = 0.5  # m


@PARTITIONS.register("cubes", settings=CubeSettings, presets={"outdoor": {"size": 2.0}})
def cubes(coord, normal, color, size):
    """Cubes of one size."""
    return np.unique(np.floor(coord / size), axis=0, return_inverse=True)[1].reshape(-1)
