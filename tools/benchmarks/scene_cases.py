"""Cases of what reads or writes a prepared scene: samples, regions, export."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pointcept.datasets import build_dataset
from pointcept.utils.config import Config

from pointcept_wsegpc import schema
from pointcept_wsegpc.camera import back_project
from pointcept_wsegpc.datasets.multiview import IMAGENET_MEAN, IMAGENET_STD
from pointcept_wsegpc.hooks.pseudo_labels import label_scene
from pointcept_wsegpc.labels import SCANNET20_NAMES
from pointcept_wsegpc.regions import partition, partition_view

from . import inputs, textbook
from .inputs import views_text
from .measure import Case
from .textbook_sample import TextbookDataset

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "scannet" / "wsegpc-cmg-rpc.py"
SEEDS = 4  # samples of one call: whether a random transform is applied evens out


def sample_case(sizes, cache):
    """Load and augment a training sample, all points kept (no structure removal)."""
    root = inputs.prepared_scene(cache, sizes)
    config = Config.fromfile(str(CONFIG)).data.train
    config.update(data_root=str(root), num_views=sizes.views, structures=None)
    dataset = build_dataset(config)
    scene = dataset.scenes[0]
    plain = TextbookDataset(
        scene, dataset.tags_file, config, IMAGENET_MEAN, IMAGENET_STD, SCANNET20_NAMES
    )

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

    points = len(schema.read_points(scene)["coord"])
    return Case(f"{points} points, {views_text(sizes)}", ours, plainly, calls=SEEDS)


def regions_3d_case(sizes, cache):
    """Region growing of a cloud; the plain one gets a random part of its points."""
    points = schema.read_points(first_scene(cache, sizes))
    coord, normal = points["coord"], points["normal"]
    rng = np.random.default_rng(0)
    part = rng.choice(len(coord), len(coord) // sizes.growing_share, replace=False)
    # As dense as the whole cloud relative to the distance at which points belong together.
    distance = 0.04 * np.sqrt(sizes.growing_share)
    return Case(
        f"{len(coord)} points",
        lambda: partition(coord, normal),
        lambda: textbook.grow_regions(coord[part], normal[part], max_distance=distance),
        parts=len(coord) / len(part),
    )


def regions_2d_case(sizes, cache):
    """Region growing of a view; the plain one gets a part of its pixels, lifted to points."""
    scene = first_scene(cache, sizes)
    views = schema.read_views(scene)
    middle = len(views) // 2
    intrinsic = views.intrinsic[middle]
    depth = schema.read_view_image(scene, views.frame[middle], "depth", views.size)
    step = int(np.ceil(np.sqrt(sizes.growing_share)))
    part = back_project(depth, intrinsic)[::step, ::step].reshape(-1, 3)
    part = part[part[:, 2] > 0].astype(np.float64)
    return Case(
        f"{views.size[1]}x{views.size[0]}",
        lambda: partition_view(depth, intrinsic),
        lambda: textbook.grow_regions(part, max_distance=0.04 * step),
        parts=np.count_nonzero(depth) / len(part),
    )


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
        inputs.teacher_logits(first.numpy(), batch["tags"].numpy(), 0, np.random.default_rng(0))
    )
    store = Path(cache) / "pseudo_labels"
    store.mkdir(exist_ok=True)

    def ours():
        label, confidence, _ = label_scene(
            Predicted(logits), batch, "teacher", True, True, sizes.classes
        )
        schema.write_pseudo_label(store, "ours", label, confidence)
        return label, confidence

    def plainly():
        label, confidence = textbook.label_scene(logits, batch["tags"], inverse, region)
        textbook.write_label(store / "textbook.npz", label, confidence)
        return label.numpy(), confidence.numpy()

    return Case(f"{len(inverse)} points, {int(region.max()) + 1} regions", ours, plainly)


@dataclass
class Predicted:
    """Stands for a model whose prediction is there already."""

    logits: torch.Tensor

    def infer(self, batch, network):
        return {"seg_logits": self.logits}


def first_scene(cache, sizes):
    return schema.scene_dirs(inputs.prepared_scene(cache, sizes), "train")[0]
