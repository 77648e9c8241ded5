"""Data sets of prepared scenes, their transforms and how samples become a batch."""

from .builder import DATASETS, build_dataset
from .defaults import DefaultDataset
from .s3dis import S3DISDataset
from .scannet import ScanNetDataset
from .utils import collate_fn, point_collate_fn

__all__ = [
    "DATASETS",
    "DefaultDataset",
    "S3DISDataset",
    "ScanNetDataset",
    "build_dataset",
    "collate_fn",
    "point_collate_fn",
]
