"""Stage two: scenes of any registered data set, labeled by a label store or by ground truth.

N points of a scene.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pointcept.datasets.builder import DATASETS
from pointcept.datasets.transform import Compose
from torch.utils.data import Dataset

from ..contracts.classes import IGNORE, ClassTable
from ..contracts.label_store import LabelStore
from ..contracts.scene import check_points, read_region, scene_dirs, scenes_below, scenes_by_key
from ..contracts.views import read_views
from .seeding import EpochSeeded
from .structures import StructureRemoval

GROUND_TRUTH = ("segment", "instance")  # prefix of files with ground truth


@DATASETS.register_module("WSegPCSceneDataset")
class SceneDataset(EpochSeeded, Dataset):
    """Scenes at any depth below their split's folder, with the labels of their class table's file.

    For evaluation, and for scenes to predict: without that file all labels are IGNORE.

    Args:
        dataset: registered type of a data set with Pointcept's `get_data`, `data_list` and
            `data_root`, as its DefaultDataset and what derives from it.
        names: class names that the labels are of; default: those of the data root's class table.
        transform: of the labeled points.
        settings: the other arguments of the data set.
    """

    def __init__(
        self,
        dataset: str = "DefaultDataset",
        names: Sequence[str] | None = None,
        transform: Sequence[dict] | None = None,
        **settings,
    ):
        self.init_seeding()
        self.transform = Compose(transform)
        self.dataset = dataset = DATASETS.build({"type": dataset, **settings})
        if not dataset.data_list:
            scene_dirs(dataset.data_root, dataset.split)  # says where it looked, and for what
        # Pointcept lists what is directly in a split's folder, in the order of the file system;
        # sorted, a seed means one order of scenes on every machine.
        dataset.data_list = sorted(
            str(scene) for path in dataset.data_list for scene in scenes_below(path)
        )
        dataset.VALID_ASSETS = [a for a in dataset.VALID_ASSETS if not a.startswith(GROUND_TRUTH)]
        self.root = Path(dataset.data_root)  # as the scenes' paths begin: links are not resolved
        self.scene_keys = list(scenes_by_key(dataset.data_list, self.root))
        self.names = tuple(names or self.table.names)

    @functools.cached_property
    def table(self) -> ClassTable:
        """The class table of the data root, read where it is first needed."""
        return ClassTable.read(self.root)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict:
        with self.sample_rng(index) as rng:
            return self.transform(self.augment(self.get_data(index), index, rng))

    def get_data_name(self, index: int) -> str:
        """Key of a scene: its folder, relative to that of its split."""
        return self.scene_keys[index % len(self.scene_keys)]

    def get_data(self, index: int) -> dict:
        """Arrays of a scene and its labels, before any transform."""
        data = {**self.dataset.get_data(index), "name": self.get_data_name(index)}
        check_points(data, self.folder(index))
        data["segment"] = self.read_labels(index, len(data["coord"])).astype(np.int32)
        return data

    def augment(self, data: dict, index: int, rng: np.random.Generator) -> dict:
        """What `get_data` gave, before the transforms."""
        return data

    def folder(self, index: int) -> Path:
        """Folder of a scene."""
        return Path(self.dataset.data_list[index % len(self.scene_keys)])

    def read_labels(self, index: int, num_points: int) -> np.ndarray:
        """Labels (N,) of a scene, IGNORE where there is none."""
        path = self.folder(index) / f"{self.table.label_file}.npy"
        if not path.is_file():
            return np.full(num_points, IGNORE)
        return self.table.clean(np.load(path).reshape(-1), path)


@DATASETS.register_module("WSegPCPseudoLabelDataset")
class PseudoLabelDataset(SceneDataset):
    """A data set whose `segment` comes from pseudo-labels, never from ground truth.

    Args:
        store: folder of the label store, written with the class names `names`; its scenes are known
            by their folders in the data root, without that of the split.
        min_confidence: points below it become IGNORE; 0 keeps every label.
        structure_removal: {role: probability}, as in stage one; reads the scenes' regions, views.
        dataset, settings: see `SceneDataset`.
    """

    def __init__(
        self,
        store: str | Path,
        dataset: str = "ScanNetDataset",
        min_confidence: float = 0.0,
        structure_removal: Mapping[str, float] | None = None,
        **settings,
    ):
        self.store = LabelStore.load(store)
        self.min_confidence = min_confidence
        super().__init__(dataset, **settings)
        self.store.check(self.names, self.scene_keys)
        self.structures = structure_removal and StructureRemoval(structure_removal, self.table)

    def read_labels(self, index: int, num_points: int) -> np.ndarray:
        """Labels (N,) of a scene in the store."""
        stored = self.store.read(self.get_data_name(index), num_points, ("label", "confidence"))
        return np.where(stored["confidence"] >= self.min_confidence, stored["label"], IGNORE)

    def augment(self, data: dict, index: int, rng: np.random.Generator) -> dict:
        """`data` without the structures that are removed; its arrays of points are cut."""
        if not self.structures:
            return data
        folder, coord = self.folder(index), data["coord"]
        keep, _ = self.structures.draw(
            coord,
            read_region(folder, len(coord)),
            np.zeros(len(self.names), np.float32),
            read_views(folder).axis_alignment,
            rng,
        )
        of_points = [
            k for k, v in data.items() if isinstance(v, np.ndarray) and len(v) == len(keep)
        ]
        return data | {key: data[key][keep] for key in of_points}
