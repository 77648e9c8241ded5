"""S3DIS in Pointcept's layout: one folder per area, one per room in it."""

from __future__ import annotations

from pathlib import Path

from .builder import DATASETS
from .defaults import DefaultDataset


@DATASETS.register_module()
class S3DISDataset(DefaultDataset):
    """`DefaultDataset` whose scenes are named ``<area>-<room>``."""

    def get_data_name(self, idx: int) -> str:
        folder = Path(self.data_list[idx % len(self.data_list)])
        return f"{folder.parent.name}-{folder.name}"
