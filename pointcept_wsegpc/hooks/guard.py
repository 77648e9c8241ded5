"""Stops a training that can only come to nothing, before a checkpoint or a label is made of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from pointcept.engines.hooks.builder import HOOKS
from pointcept.engines.hooks.default import HookBase
from pointcept.utils import comm

from ..files import read_json, write_json
from ..models.checkpoint import read_checkpoint, state_differences, training_state
from .common import finite_tensors, unwrap

SETTINGS_FILE = "settings.json"  # in save_path: those that the training was started with
# Settings, by their beginnings, that change no weight.
VOLATILE = (
    "weight", "resume", "save_path", "num_worker", "batch_size_", "test", "enable_wandb", "wandb",
    "empty_cache", "hooks.WSegPCProgress", "hooks.WSegPCGuard", "data.test",
)  # fmt: skip
RESUMED = ("epoch", "best_metric_value", "optimizer", "scheduler")  # entries that a resume needs


class Diverged(ValueError):
    """A loss or a weight of a training is not finite any more."""


@HOOKS.register_module()
class WSegPCGuard(HookBase):
    """Check the weights that are to be loaded, and that losses and weights stay finite.

    The settings of a training are kept beside its log; a resume with others says what differs.

    List it first: before `CheckpointLoader`, which unpickles whatever it is given, and before
    `CheckpointSaver`, so that the last checkpoint stays a good one.

    Args:
        interval: training steps between two looks at the losses, each of which waits for a GPU.
        trust: accept a `weight` that holds more than tensors, and may run code when it is loaded.

    Raises ValueError for a weight file that is damaged, foreign or unsafe, `Diverged` in training.
    Gradients that overflow under a gradient scaler are no error: it skips their step.
    """

    def __init__(self, interval: int = 20, trust: bool = False):
        self.interval, self.trust = interval, trust
        self.steps: list[tuple[str, list[str], torch.Tensor]] = []  # since the last look

    def before_train(self):
        cfg = self.trainer.cfg
        if cfg.weight and os.path.isfile(cfg.weight):
            self._check_weight(cfg.weight, cfg.resume)
        if comm.is_main_process():
            found = other_settings(Path(cfg.save_path, SETTINGS_FILE), settings_of(cfg), cfg.resume)
            for line in found:
                self.trainer.logger.info(f"Resumed with another setting: {line}")

    def _check_weight(self, weight, resume):
        content = read_checkpoint(weight, self.trust)
        try:
            state = training_state(content)
        except ValueError as error:
            raise ValueError(f"{weight}: {error}") from error
        if not resume:
            return
        missing = [f"no {key}" for key in RESUMED if key not in content]
        found = ", ".join(missing) or state_differences(
            state, unwrap(self.trainer.model).state_dict()
        )
        if found:
            raise ValueError(
                f"{weight} cannot be resumed with this config: {found}; expected a checkpoint of "
                "its own training: give that, or start without resume"
            )

    def after_step(self):
        trainer, info = self.trainer, self.trainer.comm_info
        losses = {
            name: value.detach().reshape(())
            for name, value in info["model_output_dict"].items()
            if isinstance(value, torch.Tensor) and value.numel() == 1
        }
        place = f"epoch {trainer.epoch + 1}, step {info['iter'] + 1}"
        if scenes := info["input_dict"].get("name"):
            place += f" (scenes {', '.join(map(str, scenes))})"
        finite = torch.stack([value.float() for value in losses.values()]).isfinite()
        if (segment := info["input_dict"].get("segment")) is not None:
            # Of a batch without labels, Pointcept's losses are NaN and their gradients 0.
            finite |= (segment < 0).all()
        self.steps.append((place, list(losses), finite))
        if len(self.steps) >= self.interval:
            self.look()

    def after_epoch(self):
        self.look()

    def look(self) -> None:
        """Raise `Diverged` for the first of the steps since the last look that was not finite."""
        steps, self.steps = self.steps, []
        _, weights = finite_tensors(unwrap(self.trainer.model))
        fine = torch.cat([*(finite for _, _, finite in steps), weights.all().reshape(1)]).tolist()
        for place, names, _ in steps:
            bad = [name for name in names if not fine.pop(0)]
            if bad:
                self._stop(f"{place}: {', '.join(bad)} not finite")
        if not fine[0]:
            self._stop(f"{steps[-1][0] if steps else 'the start'}: weights not finite")

    def _stop(self, what):
        raise Diverged(
            f"training stopped at {what}; checkpoints hold what was before it: check these scenes "
            "(`wsegpc check`), or lower the learning rate"
        )


def settings_of(cfg: Any) -> dict[str, Any]:
    """The settings of a config that bear on the weights, {dotted name: value}, as JSON has them."""
    tree = dict(cfg.items())
    tree["hooks"] = {hook["type"]: hook for hook in tree.get("hooks", ())}
    leaves = json.loads(json.dumps(dict(_leaves(tree)), default=str))
    return {name: value for name, value in leaves.items() if not name.startswith(VOLATILE)}


def _leaves(tree, prefix=""):
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def other_settings(path: Path, settings: Mapping[str, Any], resume: bool) -> Iterable[str]:
    """What differs from the settings in a file; written where there is none or nothing resumes."""
    if not resume or not path.is_file():
        write_json(path, settings)
        return []
    then = read_json(path)
    keys = [key for key in sorted({**then, **settings}) if then.get(key) != settings.get(key)]
    return [f"{key} was {then.get(key, '-')!r}, is {settings.get(key, '-')!r}" for key in keys]
