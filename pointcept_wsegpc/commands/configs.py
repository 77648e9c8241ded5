"""What the tools take from a finished training: its configuration and all of its weights."""

from pathlib import Path

import torch


def read_config(path, options=None):
    """The configuration in a file, with overrides {key: value}."""
    from pointcept.utils.config import Config

    if not Path(path).is_file():
        raise FileNotFoundError(f"config {path} is no file; pass the config.py of a training")
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(options or {})
    return cfg


def load_checkpoint(model, weight):
    """Load a checkpoint of which every entry must match; one line says what does not."""
    if not Path(weight).is_file():
        raise FileNotFoundError(f"weight {weight} is no file; pass a checkpoint (model_last.pth)")
    try:
        state = torch.load(weight, map_location="cpu", weights_only=False)["state_dict"]
    except Exception as error:  # what a foreign file raises depends on its first bytes
        raise ValueError(f"{weight} is no checkpoint of a training ({error!r:.80})") from error
    state = {key.removeprefix("module."): value for key, value in state.items()}
    wanted = model.state_dict()
    differences = {
        "missing": [key for key in wanted if key not in state],
        "unknown": [key for key in state if key not in wanted],
        "of another shape": [
            key for key in wanted if key in state and state[key].shape != wanted[key].shape
        ],
    }
    found = [f"{len(keys)} {what} ({keys[0]})" for what, keys in differences.items() if keys]
    if found:
        raise ValueError(
            f"{weight} does not fit the config's model of {len(wanted)} entries: "
            f"{', '.join(found)}; pass the config that it was trained with"
        )
    model.load_state_dict(state)
