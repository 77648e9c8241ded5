"""Structure removal in a data set: by the roles that classes of its table have.

N points, C classes. See transforms/scenes.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..contracts.classes import ROLES, ClassTable
from ..registry import check_choice
from ..transforms.scenes import remove_structure


class StructureRemoval:
    """Removes ground, walls or ceiling of a scene at random.

    probability: {role: probability}; a role that no class of the table has is skipped. False where
    nothing is ever removed.
    """

    def __init__(self, probability: Mapping[str, float] | None, table: ClassTable):
        for role in probability or {}:
            check_choice("a role of structure_removal", role, ROLES)
        found = {role: (table.role(role), p) for role, p in (probability or {}).items()}
        self.structures = {role: entry for role, entry in found.items() if entry[0]}

    def classes(self) -> list[int]:
        """The classes of which a sample may lose all points."""
        return [i for ids, probability in self.structures.values() if probability for i in ids]

    def __bool__(self) -> bool:
        return bool(self.structures)

    def draw(
        self,
        coord: np.ndarray,
        region: np.ndarray,
        tags: np.ndarray,
        axis_alignment: np.ndarray,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which points stay, (N,) bool, and the tags (C,) that are left.

        coord (N, 3) m; region (N,); tags (C,); axis_alignment (4, 4), world to gravity.
        """
        align = axis_alignment.astype(np.float32)
        aligned = coord @ align[:3, :3].T + align[:3, 3]
        return remove_structure(aligned, region, tags, self.structures, rng)
