"""Files of 2D weights, in the layouts in which the field publishes them.

Known: state dicts of timm and torchvision, plain or wrapped by a training ("state_dict", "model"),
as .pth or .safetensors; MoCo v1 and v2 (the query encoder is taken, the key encoder and the queue
are not); SwAV and DeepCluster v2; DINO, its published backbones and its own checkpoints (the
teacher is taken, which is what DINO itself evaluates). Heads of any of them are dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .checkpoint import read_checkpoint

logger = logging.getLogger(__name__)

WRAPPERS = ("state_dict", "model", "teacher", "student")  # in this order
PREFIXES = ("module.", "backbone.")
MOCO_ENCODER = "encoder_q."
HEADS = ("fc.", "head.", "classifier.", "last_linear.", "projection_head.", "prototypes.")


def load_weights(network: nn.Module, name: str, path: Path, known: Collection[str]) -> None:
    """Load every weight of ``network``, timm's ``name``, from a file, or raise in one line.

    known: keys of the whole network; stages that were cut away from ``network`` may be in the file.

    Raises FileNotFoundError, and ValueError where the file holds no tensors or does not fit: a key
    of ``network`` is missing or has another shape, or a key is neither known nor of a head.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"image weights {path} not found; expected a file, or weights='imagenet' or 'none'"
        )
    wanted = network.state_dict()
    state = normalize_keys(read_checkpoint(path), wanted)
    fitting = {
        k: v for k, v in state.items() if k in wanted and _shape(v) == tuple(wanted[k].shape)
    }
    # Counters of batches steer nothing here, and older files lack them.
    missing = [k for k in wanted if k not in fitting and not k.endswith("num_batches_tracked")]
    foreign = [k for k in state if k not in known and not k.startswith(HEADS)]
    if missing or foreign:
        raise ValueError(
            f"{path} does not fit {name}: {len(fitting)} of {len(wanted)} keys matched; "
            f"missing or of another shape: {_first(missing)}; unknown: {_first(foreign)}"
        )
    network.load_state_dict(fitting, strict=False)
    logger.info("Image encoder %s: loaded %d keys from %s", name, len(fitting), path)


def normalize_keys(checkpoint: Mapping[str, Any], wanted: Collection[str]) -> dict[str, Any]:
    """Return {name in timm's layout: tensor} from a checkpoint in any layout named above.

    Unwraps, strips the prefixes that wrappers of a network leave, and follows timm's flattened
    names ("stages.0" -> "stages_0") where ``wanted`` has them.
    """
    for wrapper in WRAPPERS:
        if isinstance(checkpoint.get(wrapper), dict):
            checkpoint = checkpoint[wrapper]
    state = {_without(PREFIXES, str(key)): value for key, value in checkpoint.items()}
    if any(key.startswith(MOCO_ENCODER) for key in state):
        state = {
            key.removeprefix(MOCO_ENCODER): value
            for key, value in state.items()
            if key.startswith(MOCO_ENCODER)
        }
    return {_flattened(key, wanted): value for key, value in state.items()}


def _without(prefixes, key):
    while key.startswith(prefixes):
        key = key.split(".", 1)[1]
    return key


def _flattened(key, wanted):
    flattened = key.replace(".", "_", 1)
    return flattened if key not in wanted and flattened in wanted else key


def _shape(value):
    return tuple(value.shape) if isinstance(value, torch.Tensor) else None


def _first(keys, count=3):
    return ", ".join(keys[:count]) + (", ..." if len(keys) > count else "") if keys else "none"
