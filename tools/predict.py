#!/usr/bin/env python3
"""Label whole scenes with a finished stage two, on their original points.

    python tools/predict.py --config-file exp/stage2/config.py \\
        --weight exp/stage2/model/model_last.pth --split val --out exp/stage2/predictions

Writes OUT/<scene>.npz with label (N,) int16. The scenes, and how they are voxelised, are those of
the configuration's data.val; the same command writes the same labels. Test-time augmentation and
submissions: Pointcept's scripts/test.sh.
"""

import argparse
import logging
import random
import zlib
from pathlib import Path

import numpy as np
import torch

from finished import load_checkpoint, read_config
from pointcept_wsegpc import cpu, host
from pointcept_wsegpc.commands import errors
from pointcept_wsegpc.files import write_arrays
from pointcept_wsegpc.hooks.common import to_device
from pointcept_wsegpc.jobs.process import report_progress


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config-file", required=True, help="config.py in the training's folder")
    parser.add_argument("--weight", required=True, help="checkpoint (model_last.pth)")
    parser.add_argument("--split", default="val", help="scenes to label (default val)")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    return parser.parse_args()


def check_inverse(dataset):
    """Raise ValueError where samples of a data set's config do not lead back to all points."""
    steps = dataset.get("transform") or []
    collected = [key for step in steps if step["type"] == "Collect" for key in step["keys"]]
    if "inverse" not in collected:
        raise ValueError(
            "the transform of data.val collects no inverse, the way back from voxels to points: "
            "use GridSample(return_inverse=True) and Collect it, as configs/_base_/stage2.py does "
            "(for a stage one: tools/export.py)"
        )


def seed_scene(scene):
    """Every time the same random points of a scene's voxels, and orders of a serialised network."""
    seed = zlib.crc32(scene.encode())
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@torch.no_grad()
def predict(cfg, weight, split, out):
    """Write the labels of every scene of a split."""
    from pointcept.datasets import build_dataset, collate_fn
    from pointcept.models import build_model

    check_inverse(cfg.data.val)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = build_model(cfg.model)
    load_checkpoint(model, weight)
    model.to(device).eval()
    dataset = build_dataset({**cfg.data.val, "split": split})
    for index in range(len(dataset)):
        scene = dataset.get_data_name(index)
        seed_scene(scene)
        batch = to_device(collate_fn([dataset[index]]), device)
        label = model(batch)["seg_logits"].argmax(1)[batch["inverse"]].cpu()
        write_arrays(out / f"{scene}.npz", label=label.numpy().astype(np.int16))
        logging.info("Predict: [%d/%d] %s", index + 1, len(dataset), scene)
        report_progress("labels of scene", index + 1, len(dataset))


def main():
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    args = parse_arguments()
    engine = host.ensure_pointcept()
    if not engine.is_standin and not torch.cuda.is_available():
        cpu.patch()

    import pointcept_wsegpc.register  # noqa: F401  fills the registries

    predict(read_config(args.config_file), args.weight, args.split, args.out)


if __name__ == "__main__":
    with errors.end_in_one_line("predict"):
        main()
