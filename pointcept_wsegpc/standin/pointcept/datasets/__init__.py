"""Data sets of prepared scenes, their transforms and how samples become a batch."""

from .builder import DATASETS as DATASETS
from .builder import build_dataset as build_dataset
from .defaults import DefaultDataset as DefaultDataset
from .s3dis import S3DISDataset as S3DISDataset
from .scannet import ScanNetDataset as ScanNetDataset
from .utils import collate_fn as collate_fn
from .utils import point_collate_fn as point_collate_fn
