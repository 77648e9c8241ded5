"""Labels of whole scenes from a finished stage two.

Shapes: N original points.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import torch

from pointcept_wsegpc.files import write_arrays

from .plan import num_cores


def predict(folder: Path, checkpoint: Path, data: Path, split: str, out: Path) -> None:
    """Write `<out>/<scene>.npz` with label (N,) int16 for every scene of a split.

    `folder` holds the training's config.py, whose validation transforms are used.
    """
    importlib.import_module("pointcept_wsegpc.register")  # fills the registries
    from pointcept.datasets import build_dataset, collate_fn
    from pointcept.utils.config import Config

    torch.set_num_threads(num_cores())
    cfg = Config.fromfile(str(folder / "config.py"))
    model = load_model(cfg, checkpoint)
    dataset = build_dataset({**cfg.data.val, "split": split, "data_root": str(data)})
    for index in range(len(dataset)):
        batch = collate_fn([dataset[index]])
        with torch.no_grad():
            label = model(batch)["seg_logits"].argmax(1)[batch["inverse"]]
        scene = dataset.get_data_name(index)
        write_arrays(out / f"{scene}.npz", label=label.numpy().astype(np.int16))


def load_model(cfg, checkpoint: Path):
    """The configuration's model with a checkpoint's weights, in eval mode."""
    from pointcept.models import build_model

    model = build_model(cfg.model)
    state = torch.load(checkpoint, map_location="cpu", weights_only=False)["state_dict"]
    model.load_state_dict({key.removeprefix("module."): value for key, value in state.items()})
    return model.eval()
