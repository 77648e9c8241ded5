"""Cases of what reads or writes a prepared scene: samples, export."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pointcept.datasets import build_dataset
from pointcept.utils.config import Config

from pointcept_wsegpc.contracts.label_store import LabelStore
from pointcept_wsegpc.contracts.scene import read_points
from pointcept_wsegpc.hooks.pseudo_labels import label_scene

from . import inputs, textbook
from .inputs import first_scene, views_text
from .measure import Case
from .textbook_sample import TextbookDataset

CONFIG = Path(__file__).resolve().parents[3] / "configs" / "scannet" / "wsegpc-cmg-rpc.py"
SEEDS = 4  # samples of one call: whether a random transform is applied evens out


def sample_case(sizes, cache):
    """Load and augment a training sample, all points kept (no structure removal)."""
    root = inputs.prepared_scene(cache, sizes)
    config = Config.fromfile(str(CONFIG)).data.train
    config.update(data_root=str(root), num_views=sizes.views, structure_removal=None)
    dataset = build_dataset(config)
    scene = dataset.scenes[0]
    plain = TextbookDataset(scene, dataset.tags_file, config, dataset.names)

    def ours():
        for seed in range(SEEDS):
            dataset.set_epoch(seed, 0)
            sample = dataset[0]
        return sample

    def plainly():
        for seed in range(SEEDS):
            np.random.seed(seed)
            torch.manual_seed(seed)
            sample = plain.sample()
        return sample

    points = len(read_points(scene)["coord"])
    return Case(f"{points} points, {views_text(sizes)}", ours, plainly, calls=SEEDS)


def export_case(sizes, cache):
    """Pseudo-labels of a scene from its voxels' logits: mask, region vote, file."""
    scene = first_scene(cache, sizes)
    dataset = build_dataset(
        {
            **Config.fromfile(str(CONFIG)).data.val,
            "data_root": str(scene.parents[1]),
            "split": "train",
            "num_views": 1,
        }
    )
    batch = {k: v for k, v in dataset[0].items() if "segment" not in k}
    inverse, region = batch["inverse"], batch["origin_region"].long()
    first = torch.empty(len(batch["coord"]), dtype=torch.long).scatter_(0, inverse, region)
    logits = torch.from_numpy(
        inputs.teacher_logits(
            first.numpy(), batch["scene_tags"].numpy(), 0, np.random.default_rng(0)
        )
    )
    names = [str(number) for number in range(sizes.classes)]
    store = LabelStore(Path(cache) / "label_store", names, {"made_by": "benchmark"}).open(["ours"])

    def ours():
        labels, _ = label_scene(Predicted(logits), batch, "teacher", True, True, sizes.classes)
        store.write("ours", **labels)
        return labels["label"], labels["confidence"]

    def plainly():
        label, confidence = textbook.label_scene(logits, batch["scene_tags"], inverse, region)
        textbook.write_label(Path(cache) / "textbook.npz", label, confidence)
        return label.numpy(), confidence.numpy()

    return Case(f"{len(inverse)} points, {int(region.max()) + 1} regions", ours, plainly)


@dataclass
class Predicted:
    """Stands for a model whose prediction is there already."""

    logits: torch.Tensor

    def infer(self, batch, network):
        return {"seg_logits": self.logits}
