"""S3DIS in Pointcept's layout: one folder per area, one per room in it."""

from .builder import DATASETS
from .defaults import DefaultDataset


@DATASETS.register_module()
class S3DISDataset(DefaultDataset):
    """`DefaultDataset` whose scenes are named ``<area>-<room>``."""

    def get_data_name(self, idx: int) -> str:
        return "-".join(self.folder(idx).parts[-2:])
