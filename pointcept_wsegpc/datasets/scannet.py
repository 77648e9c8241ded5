"""ScanNet v2 for stage one: the multi-view scenes with its 20 classes and file names."""

from pointcept.datasets.builder import DATASETS

from ..contracts.classes import SCANNET20_NAMES
from .multiview import MultiViewDataset


@DATASETS.register_module("WSegPCScanNetDataset")
class ScanNetMultiViewDataset(MultiViewDataset):
    """Scenes prepared by `wsegpc prepare scannet`, ScanNet-format synthetic scans included."""

    def __init__(self, names=SCANNET20_NAMES, segment_key="segment20", **settings):
        super().__init__(names=names, segment_key=segment_key, **settings)
