"""Stage two: Pointcept's own scenes, labelled by the pseudo-label store."""

from pathlib import Path

import numpy as np
from pointcept.datasets.builder import DATASETS
from pointcept.datasets.s3dis import S3DISDataset
from pointcept.datasets.scannet import ScanNetDataset

from ..contracts.classes import IGNORE, ClassTable
from ..contracts.label_store import LabelStore
from ..contracts.scene import scene_dirs
from .seeding import EpochSeeded


class PseudoLabelled(EpochSeeded):
    """Mix-in of a Pointcept data set: `segment` comes from pseudo-labels, never ground truth.

    Args:
        store: folder that `PseudoLabelExporter` wrote.
        min_confidence: points below it become IGNORE; 0 keeps every label.
        names: class names that the store must have been written with; default: classes.json's.
        others: as for Pointcept's data set.
    """

    VALID_ASSETS = ["coord", "color", "normal"]

    def __init__(self, store, names=None, min_confidence=0.0, **settings):
        self.init_seeding()
        self.store = LabelStore.load(store)
        self.min_confidence = min_confidence
        super().__init__(**settings)
        self.names = ClassTable.read(self.data_root).names if names is None else tuple(names)
        scenes = [self.get_data_name(i) for i in range(len(self.data_list))]
        self.store.check(self.names, scenes)

    def get_data_name(self, idx):
        # A prepared scene is known by its folder, whatever the base names it.
        return Path(self.data_list[idx % len(self.data_list)]).name

    def get_data_list(self):
        # Pointcept lists a folder in the order of the file system; sorted, a seed means one order
        # of scenes on every machine.
        scenes = sorted(super().get_data_list())
        if not scenes:
            scene_dirs(self.data_root, self.split)  # says where it looked, and for what
        return scenes

    def get_data(self, idx):
        data = super().get_data(idx)
        stored = self.store.read(data["name"], len(data["coord"]), ("label", "confidence"))
        keep = stored["confidence"] >= self.min_confidence
        data["segment"] = np.where(keep, stored["label"], IGNORE).astype(np.int32)
        return data

    def __getitem__(self, idx):
        with self.sample_rng(idx):
            return super().__getitem__(idx)


@DATASETS.register_module("WSegPCPseudoLabelDataset")
class PseudoLabelDataset(PseudoLabelled, ScanNetDataset):
    """Pointcept's ScanNetDataset with pseudo-labels."""


@DATASETS.register_module("WSegPCS3DISPseudoLabelDataset")
class S3DISPseudoLabelDataset(PseudoLabelled, S3DISDataset):
    """Pointcept's S3DISDataset with pseudo-labels."""
