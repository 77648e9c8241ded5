"""ScanNet in Pointcept's layout: labels of the 20 benchmark classes."""

from __future__ import annotations

from .builder import DATASETS
from .defaults import DefaultDataset


@DATASETS.register_module()
class ScanNetDataset(DefaultDataset):
    """`DefaultDataset` with ``segment`` from ``segment20.npy``."""

    VALID_ASSETS = ["coord", "color", "normal", "segment20", "instance"]
    SEGMENT = "segment20"
