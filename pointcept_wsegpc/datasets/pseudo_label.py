"""Stage two: scenes of any registered data set, labeled by a label store.

N points of a scene.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pointcept.datasets.builder import DATASETS
from pointcept.datasets.transform import Compose
from torch.utils.data import Dataset

from ..contracts.classes import IGNORE, ClassTable
from ..contracts.label_store import LabelStore
from ..contracts.scene import scene_dirs, scene_key
from .seeding import EpochSeeded

GROUND_TRUTH = ("segment", "instance")  # what names of files with ground truth begin with


@DATASETS.register_module("WSegPCPseudoLabelDataset")
class PseudoLabelDataset(EpochSeeded, Dataset):
    """A data set whose `segment` comes from pseudo-labels, never from ground truth.

    Args:
        store: folder of the label store; its scenes are known by their folders in the data root,
            without that of the split.
        dataset: registered type of a data set with Pointcept's `get_data`, `data_list` and
            `data_root`, as its DefaultDataset and what derives from it.
        min_confidence: points below it become IGNORE; 0 keeps every label.
        names: class names that the store must have been written with; default: those of the data
            root's class table.
        transform: of the labeled points.
        settings: the other arguments of the data set.
    """

    def __init__(
        self,
        store: str | Path,
        dataset: str = "ScanNetDataset",
        min_confidence: float = 0.0,
        names: Sequence[str] | None = None,
        transform: Sequence[dict] | None = None,
        **settings,
    ):
        self.init_seeding()
        self.store = LabelStore.load(store)
        self.min_confidence = min_confidence
        self.transform = Compose(transform)
        self.dataset = dataset = DATASETS.build({"type": dataset, **settings})
        if not dataset.data_list:
            scene_dirs(dataset.data_root, dataset.split)  # says where it looked, and for what
        # Pointcept lists a folder in the order of the file system; sorted, a seed means one order
        # of scenes on every machine.
        dataset.data_list = sorted(dataset.data_list, key=str)
        dataset.VALID_ASSETS = [a for a in dataset.VALID_ASSETS if not a.startswith(GROUND_TRUTH)]
        root = dataset.data_root  # as the scenes' paths begin: links in it are not resolved
        self.scene_keys = [scene_key(scene, root) for scene in dataset.data_list]
        self.names = tuple(names or ClassTable.read(root).names)
        self.store.check(self.names, self.scene_keys)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict:
        with self.sample_rng(index):
            return self.transform(self.get_data(index))

    def get_data_name(self, index: int) -> str:
        """Key of a scene: its folder, relative to that of its split."""
        return self.scene_keys[index % len(self.scene_keys)]

    def get_data(self, index: int) -> dict:
        """Arrays of a scene with the labels of the store, before any transform."""
        name = self.get_data_name(index)
        data = {**self.dataset.get_data(index), "name": name}
        stored = self.store.read(name, len(data["coord"]), ("label", "confidence"))
        keep = stored["confidence"] >= self.min_confidence
        data["segment"] = np.where(keep, stored["label"], IGNORE).astype(np.int32)
        return data
