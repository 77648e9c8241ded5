"""ScanNet v2 for stage one: the multi-view scenes with its 20 classes and file names."""

from pointcept.datasets.builder import DATASETS

from .multiview import MultiViewDataset


@DATASETS.register_module("WSegPCScanNetDataset")
class ScanNetMultiViewDataset(MultiViewDataset):
    """Scenes prepared by tools/prepare_scannet.py, ScanNet-format synthetic scans included."""
