"""Data sets of prepared scenes: one folder of arrays per scene (N points)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from pointcept.limits import NotInStandIn

from .builder import DATASETS
from .transform import Compose


@DATASETS.register_module()
class DefaultDataset(Dataset):
    """Scenes ``data_root/split/scene/*.npy``, each seen ``loop`` times per epoch.

    ``split`` is a folder name or a list of these. A sample carries ``coord`` (N, 3), ``color``
    (N, 3) in 0..255, ``normal`` (N, 3) as float32; ``segment``, ``instance`` (N,) int32, -1 where
    unlabeled; ``name``, ``split``; then it goes through ``transform``.
    """

    VALID_ASSETS = ["coord", "color", "normal", "strength", "segment", "instance", "pose"]
    SEGMENT = "segment"

    def __init__(
        self, split="train", data_root="data/dataset", transform=None, loop=1, test_mode=False
    ):
        if test_mode:
            raise NotInStandIn("test_mode=True (test-time augmentation) is")
        self.data_root, self.split, self.loop = data_root, split, loop
        self.transform = Compose(transform)
        splits = [split] if isinstance(split, str) else split
        # Sorted: the same on every disk.
        found = (scene for name in splits for scene in sorted(Path(data_root, name).glob("*")))
        self.data_list = [str(scene) for scene in found]
        if not self.data_list:
            raise FileNotFoundError(
                f"No scene in {Path(data_root).resolve()} for split {split!r}: expected folders "
                f"{split}/<scene>/ with coord.npy, color.npy, normal.npy"
            )

    def folder(self, idx: int) -> Path:
        return Path(self.data_list[idx % len(self.data_list)])

    def get_data_name(self, idx: int) -> str:
        return self.folder(idx).name

    def get_data(self, idx: int) -> dict:
        """The arrays of one scene, before any transform."""
        folder = self.folder(idx)
        data = {f.stem: np.load(f) for f in folder.glob("*.npy") if f.stem in self.VALID_ASSETS}
        if "coord" not in data:
            raise FileNotFoundError(f"{folder} has no coord.npy: prepare the scene again")
        for key in {"coord", "color", "normal"} & data.keys():
            data[key] = data[key].astype(np.float32)
        unlabeled = np.full(len(data["coord"]), -1)
        for key, asset in (("segment", self.SEGMENT), ("instance", "instance")):
            data[key] = data.pop(asset, unlabeled).reshape(-1).astype(np.int32)
        return dict(data, name=self.get_data_name(idx), split=folder.parent.name)

    def __getitem__(self, idx: int) -> dict:
        return self.transform(self.get_data(idx))

    def __len__(self) -> int:
        return len(self.data_list) * self.loop


@DATASETS.register_module()
class ScanNetDataset(DefaultDataset):
    """With ``segment`` of ScanNet's 20 benchmark classes."""

    VALID_ASSETS = ["coord", "color", "normal", "segment20", "instance"]
    SEGMENT = "segment20"


@DATASETS.register_module()
class S3DISDataset(DefaultDataset):
    """Whose scenes, ``<area>/<room>``, are named ``<area>-<room>``."""

    def get_data_name(self, idx: int) -> str:
        return "-".join(self.folder(idx).parts[-2:])
