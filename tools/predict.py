#!/usr/bin/env python3
"""Label whole scenes with a finished stage two, on their original points.

    python tools/predict.py --config-file exp/stage2/config.py \\
        --weight exp/stage2/model/model_last.pth --split val --out exp/stage2/predictions

Writes OUT/<scene>.npz with label (N,) int16. The scenes, and how they are voxelised, are those of
the configuration's data.val. Test-time augmentation and submissions: Pointcept's scripts/test.sh.
"""

import argparse
import logging
import sys
from pathlib import Path

import numpy as np
import torch

from pointcept_wsegpc import cpu, host
from pointcept_wsegpc.files import write_arrays


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config-file", required=True, help="config.py in the training's folder")
    parser.add_argument("--weight", required=True, help="checkpoint (model_last.pth)")
    parser.add_argument("--split", default="val", help="scenes to label (default val)")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    return parser.parse_args()


def load_model(cfg, weight, device):
    """The configuration's model with all its weights from a checkpoint, in eval mode."""
    from pointcept.models import build_model

    model = build_model(cfg.model)
    state = torch.load(weight, map_location="cpu", weights_only=False)["state_dict"]
    model.load_state_dict({key.removeprefix("module."): value for key, value in state.items()})
    return model.to(device).eval()


@torch.no_grad()
def predict(cfg, weight, split, out):
    """Write the labels of every scene of a split."""
    from pointcept.datasets import build_dataset, collate_fn

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load_model(cfg, weight, device)
    dataset = build_dataset({**cfg.data.val, "split": split})
    for index in range(len(dataset)):
        batch = collate_fn([dataset[index]])
        batch = {k: v.to(device) if torch.is_tensor(v) else v for k, v in batch.items()}
        label = model(batch)["seg_logits"].argmax(1)[batch["inverse"]].cpu()
        scene = dataset.get_data_name(index)
        write_arrays(out / f"{scene}.npz", label=label.numpy().astype(np.int16))
        logging.info("Predict: [%d/%d] %s", index + 1, len(dataset), scene)


def main():
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    args = parse_arguments()
    engine = host.ensure_pointcept()
    if not engine.is_standin and not torch.cuda.is_available():
        cpu.patch()

    from pointcept.utils.config import Config

    import pointcept_wsegpc.register  # noqa: F401  fills the registries

    predict(Config.fromfile(args.config_file), args.weight, args.split, args.out)


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"predict: {error}")
