"""Stops a training that can only come to nothing, before a checkpoint or a label is made of it."""

from __future__ import annotations

import os

import torch
from pointcept.engines.hooks.builder import HOOKS
from pointcept.engines.hooks.default import HookBase
from torch import nn

from ..models.checkpoint import read_checkpoint
from .common import unwrap


class Diverged(ValueError):
    """A loss or a weight of a training is not finite any more."""


@HOOKS.register_module()
class WSegPCGuard(HookBase):
    """Check the weights that are to be loaded, and that losses and weights stay finite.

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
        weight = self.trainer.cfg.weight
        if weight and os.path.isfile(weight):
            read_checkpoint(weight, self.trust)

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
        finite = torch.stack([value.isfinite() for value in losses.values()])
        self.steps.append((place, list(losses), finite))
        if len(self.steps) >= self.interval:
            self.look()

    def after_epoch(self):
        self.look()

    def look(self) -> None:
        """Raise `Diverged` for the first of the steps since the last look that was not finite."""
        steps, self.steps = self.steps, []
        weights = finite_tensors(unwrap(self.trainer.model)).all().reshape(1)
        fine = torch.cat([*(finite for _, _, finite in steps), weights]).tolist()
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


def finite_tensors(model: nn.Module) -> torch.Tensor:
    """Which of the floating-point tensors of a model's state are finite throughout, bool."""
    tensors = [value for value in model.state_dict().values() if value.is_floating_point()]
    # A norm is one pass over all; a sum of squares that overflows float32 is no weight of use.
    return torch.stack(torch._foreach_norm(tensors)).isfinite()
