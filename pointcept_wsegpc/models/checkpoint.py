"""Weight files: checkpoints of a training, or published weights."""

from __future__ import annotations

import argparse
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..files.pickles import allowed_globals
from ..renames import STATE_KEYS, message


def read_checkpoint(path: str | Path, trust: bool = False) -> dict[str, Any]:
    """What a file of torch.save, or .safetensors, holds: tensors and settings, on the CPU.

    Nothing of the file is run, unless `trust` says that it may unpickle whatever it likes. Raises
    FileNotFoundError, and ValueError where it cannot be read or holds no dictionary.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is no file; expected a checkpoint (model_last.pth)")
    try:
        content = _read(path, trust)
    except Exception as error:  # what a foreign file raises depends on its first bytes
        reason = str(error).split("\n", 1)[0] or type(error).__name__
        hint = "" if trust else "; if it holds more and you trust it, say so (--trust)"
        raise ValueError(
            f"{path} is not a file of tensors that torch can load ({reason:.120}){hint}"
        ) from error
    if not isinstance(content, dict):
        raise ValueError(
            f"{path} holds a {type(content).__name__}, expected a state dict: save "
            "model.state_dict(), not the model"
        )
    return content


def _read(path, trust):
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    options = {"map_location": "cpu", "mmap": zipfile.is_zipfile(path)}
    if trust or not hasattr(torch.serialization, "safe_globals"):  # since torch 2.5
        return torch.load(path, weights_only=not trust, **options)
    # Beside tensors: numbers of numpy, such as Pointcept's best metric, and the argparse.Namespace
    # of DINO's own checkpoints.
    safe, version = [argparse.Namespace], tuple(map(int, torch.__version__.split(".")[:2]))
    if version >= (2, 6):  # takes stand-ins for numpy's classes under their names
        safe += allowed_globals()
    with torch.serialization.safe_globals(safe):
        return torch.load(path, weights_only=True, **options)


def trusts_weights(trainer: Any) -> bool:
    """Whether a hook of a training, `WSegPCGuard(trust=True)`, lets its weight file run code."""
    return any(getattr(hook, "trust", False) for hook in getattr(trainer, "hooks", ()))


def training_state(checkpoint: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The model's entries of a training's checkpoint, without what wraps a model for many GPUs.

    Raises ValueError where it holds no such entries, or some under names of earlier versions.
    """
    if not isinstance(checkpoint.get("state_dict"), Mapping):
        raise ValueError(
            f"the checkpoint holds {', '.join(list(map(str, checkpoint))[:3]) or 'nothing'}; "
            "expected the state_dict of a training (model_last.pth)"
        )
    state = {key.removeprefix("module."): v for key, v in checkpoint["state_dict"].items()}
    for old, new in STATE_KEYS.items():
        if any(key.startswith(f"{old}.") for key in state):
            raise ValueError(message(old, new, "CHECKPOINT"))
    return state


def upgrade_state(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state dict with the entries of earlier versions under today's names."""
    old = re.compile(rf"^((?:module\.)?)({'|'.join(STATE_KEYS)})(?=\.)")
    return {old.sub(lambda m: m[1] + STATE_KEYS[m[2]], key): v for key, v in state.items()}


def load_exactly(model: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Load a state dict of which every entry must match; one line says what does not."""
    wanted = model.state_dict()
    if found := state_differences(state, wanted):
        raise ValueError(
            f"the checkpoint does not fit the config's model of {len(wanted)} entries: "
            f"{found}; pass the config that it was trained with"
        )
    model.load_state_dict(state)


def state_differences(state: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]) -> str:
    """How many entries are missing, unknown and of another shape, and the first; "" where none."""
    differences = {
        "missing": [key for key in wanted if key not in state],
        "unknown": [key for key in state if key not in wanted],
        "of another shape": [
            key for key in wanted if key in state and state[key].shape != wanted[key].shape
        ],
    }
    return ", ".join(
        f"{len(keys)} {what} ({keys[0]})" for what, keys in differences.items() if keys
    )
