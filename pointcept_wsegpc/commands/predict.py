"""`wsegpc predict`: labels of whole scenes from a finished stage two, on their original points."""

from __future__ import annotations

import logging
import random
import zlib
from pathlib import Path

import click
import numpy as np
import torch

from ..files import write_arrays
from ..hooks.common import to_device
from ..jobs.process import report_progress
from . import configs
from .arguments import PATH, subcommand
from .output import claim

EXAMPLES = """
wsegpc predict --config-file exp/stage2/config.py --weight exp/stage2/model/model_last.pth \\
    --split val --out exp/stage2/predictions
"""


@subcommand("predict", EXAMPLES)
@click.option("-c", "--config-file", required=True, help="config.py in the training's folder.")
@click.option("--weight", type=PATH, required=True, help="Checkpoint (model_last.pth).")
@click.option("--split", default="val", help="Scenes to label.")
@click.option("--out", type=PATH, required=True, help="Folder to write.")
def command(config_file, weight, split, out):
    """Label whole scenes with a trained stage two.

    Writes OUT/SCENE.npz with label (N,) int16. The scenes, and how they are voxelized, are those of
    the config's data.val; the same command writes the same labels. Test-time augmentation and
    submissions: Pointcept's scripts/test.sh.
    """
    engine = configs.start_engine()
    predict(configs.read_config(configs.find_config(config_file, engine)), weight, split, out)


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
def predict(cfg, weight: Path, split: str, out: Path) -> None:
    """Write the labels of every scene of a split."""
    from pointcept.datasets import build_dataset, collate_fn
    from pointcept.models import build_model

    check_inverse(cfg.data.val)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build_model(cfg.model)
    configs.load_checkpoint(model, weight)
    model.to(device).eval()
    dataset = build_dataset({**cfg.data.val, "split": split})
    scenes = [dataset.get_data_name(index) for index in range(len(dataset))]
    claim(out, "predict", [f"{scene}.npz" for scene in scenes])
    for index, scene in enumerate(scenes):
        seed_scene(scene)
        batch = to_device(collate_fn([dataset[index]]), device)
        label = model(batch)["seg_logits"].argmax(1)[batch["inverse"]].cpu()
        write_arrays(out / f"{scene}.npz", label=label.numpy().astype(np.int16))
        logging.info("Predict: [%d/%d] %s", index + 1, len(dataset), scene)
        report_progress("labels of scene", index + 1, len(dataset))
