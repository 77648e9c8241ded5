"""`wsegpc predict`: labels of whole scenes from a finished stage two, on their original points."""

from __future__ import annotations

import logging
import random
import zlib
from pathlib import Path

import click
import numpy as np
import torch

from ..contracts.classes import IGNORE
from ..contracts.label_store import LabelStore
from ..jobs.process import report_progress
from ..losses.ragged import to_device
from ..metrics import scene_confusions
from . import configs
from .arguments import PATH, subcommand

EXAMPLES = """
wsegpc predict --config-file exp/stage2/config.py --weight exp/stage2/model/model_last.pth \\
    --split val --out exp/stage2/predictions
"""

logger = logging.getLogger("predict")


@subcommand("predict", EXAMPLES)
@click.option("-c", "--config-file", required=True, help="config.py in the training's folder.")
@click.option("--weight", type=PATH, required=True, help="Checkpoint (model_last.pth).")
@click.option("--split", default="val", help="Scenes to label.")
@click.option("--out", type=PATH, required=True, help="Label store to write.")
@click.option("--replace", is_flag=True, help="Remove the labels of other weights.")
def command(config_file, weight, split, out, replace):
    """Label whole scenes with a trained stage two: a label store of their original points.

    The scenes, and how they are voxelized, are those of the config's data.val; the same weights
    give the same labels. Finished scenes are skipped. Test-time augmentation and submissions:
    Pointcept's scripts/test.sh.
    """
    path = configs.find_config(config_file, configs.start_engine())
    predict(configs.read_config(path), weight, split, out, replace)


def check_inverse(dataset: dict) -> None:
    """Raise ValueError where samples of a data set's config do not lead back to all points."""
    steps = dataset.get("transform") or []
    collected = [key for step in steps if step["type"] == "Collect" for key in step["keys"]]
    if "inverse" not in collected:
        raise ValueError(
            "the transform of data.val collects no inverse, the way back from voxels to points: "
            "use GridSample(return_inverse=True) and Collect it, as configs/_base_/stage2.py does "
            "(for a stage one: wsegpc export-labels)"
        )


def seed_scene(scene: str) -> None:
    """Every time the same random points of a scene's voxels, and orders of a serialized network."""
    seed = zlib.crc32(scene.encode())
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@torch.no_grad()
def predict(cfg, weight: Path, split: str, out: Path, replace: bool) -> None:
    """Write the labels of every scene of a split."""
    from pointcept.datasets import build_dataset, collate_fn
    from pointcept.models import build_model

    from ..hooks.pseudo_labels import store_quality, sum_confusions, weights_hash

    check_inverse(cfg.data.val)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build_model(cfg.model)
    configs.load_checkpoint(model, weight)
    model.to(device).eval()
    dataset, names = build_dataset({**cfg.data.val, "split": split}), cfg.data.names
    scenes = [dataset.get_data_name(index) for index in range(len(dataset))]
    provenance = {"weights": weights_hash(model)}
    with LabelStore(out, names, provenance).writing() as store:
        store.open(scenes, replace, logger.info)
        for index, scene in enumerate(scenes):
            if not store.has(scene):
                seed_scene(scene)
                batch = to_device(collate_fn([dataset[index]]), device)
                label, confidence, metrics = label_scene(model, batch, len(names))
                store.write(scene, label, confidence, metrics=metrics)
            logger.info("Predict: [%d/%d] %s", index + 1, len(scenes), scene)
            report_progress("labels of scene", index + 1, len(scenes))
        store.finish(store_quality(sum_confusions(store), names))


def label_scene(model, batch: dict, num_classes: int) -> tuple[np.ndarray, np.ndarray, dict]:
    """Label and confidence (N,) of a scene's original points; metrics where it has labels."""
    logits = model(batch)["seg_logits"]
    found = logits.argmax(1), logits.softmax(1).max(1).values
    label, confidence = (values[batch["inverse"]].cpu().numpy() for values in found)
    truth = batch["origin_segment"].cpu().numpy() if "origin_segment" in batch else IGNORE
    if np.all(truth == IGNORE):
        return label, confidence, {}
    return label, confidence, scene_confusions({"3d": (label, truth)}, num_classes)
