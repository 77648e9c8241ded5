"""Files of 2D weights, in the layouts in which the field publishes them.

Known: state dicts of timm and torchvision, plain or wrapped by a training ("state_dict", "model"),
as .pth or .safetensors; MoCo v1 and v2 (the query encoder is taken, the key encoder and the queue
are not); SwAV and DeepCluster v2; DINO, its published backbones and its own checkpoints (the
teacher is taken, which is what DINO itself evaluates). Heads of any of them are dropped.
"""

import argparse
import contextlib
import logging

import torch

logger = logging.getLogger(__name__)

WRAPPERS = ("state_dict", "model", "teacher", "student")  # in this order
PREFIXES = ("module.", "backbone.")
MOCO_ENCODER = "encoder_q."
HEADS = ("fc.", "head.", "classifier.", "last_linear.", "projection_head.", "prototypes.")


def load_weights(network, name, path, known):
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
    state = normalise_keys(_read(path), wanted)
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


def normalise_keys(checkpoint, wanted):
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


def _read(path):
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        with _settings_allowed():
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what a foreign file raises depends on its first bytes
        reason = str(error).split("\n", 1)[0]
        raise ValueError(
            f"{path} is not a file of tensors that torch can load ({reason})"
        ) from error
    if not isinstance(checkpoint, dict):
        raise ValueError(
            f"{path} holds a {type(checkpoint).__name__}, expected a state dict: save "
            "model.state_dict(), not the model"
        )
    return checkpoint


def _settings_allowed():
    """DINO's own checkpoints hold the training's argparse.Namespace beside the tensors."""
    allowed = getattr(torch.serialization, "safe_globals", None)  # since torch 2.5
    return allowed([argparse.Namespace]) if allowed else contextlib.nullcontext()


def _shape(value):
    return tuple(value.shape) if isinstance(value, torch.Tensor) else None


def _first(keys, count=3):
    return ", ".join(keys[:count]) + (", ..." if len(keys) > count else "") if keys else "none"
