"""The EMA teacher's life in a training: a checked start, then one update per optimizer step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pointcept.engines.hooks.builder import HOOKS
from pointcept.engines.hooks.default import HookBase
from torch import nn

from ..models.checkpoint import read_checkpoint, training_state, trusts_weights
from ..models.teacher import copy_state, ema_update
from .common import check_finite, unwrap


@HOOKS.register_module()
class WSegPCEMATeacher(HookBase):
    """Follow the student with decay `decay`; place it after `CheckpointLoader`.

    A teacher that no checkpoint contains starts as a copy of the student. The update follows the
    optimizer's step: once per accumulated gradient, and not at all where AMP skips the step
    (a fused optimizer, which checks for overflow itself, counts as stepping).
    """

    def __init__(self, decay: float = 0.999):
        self.decay = decay

    def before_train(self):
        model, cfg = unwrap(self.trainer.model), self.trainer.cfg
        trust, loaded = trusts_weights(self.trainer), set()
        if cfg.weight:
            loaded = check_hand_over(model, cfg.weight, cfg.resume, trust)
        for line in describe_hand_over(model, loaded, cfg):
            self.trainer.logger.info(line)
        if not any(key.startswith("teacher.") for key in loaded):
            copy_state(model.teacher, model.student)
        check_finite(model.teacher, "the teacher")
        if not cfg.resume:
            model.start_stage()
        self.trainer.optimizer.register_step_post_hook(
            lambda *_: ema_update(model.teacher, model.student, self.decay)
        )


def check_hand_over(
    model: nn.Module, weight: str | Path, resume: bool, trust: bool = False
) -> set[str]:
    """Names of the model's entries that a checkpoint really filled.

    Pointcept's loader only logs what it did not find. Raises if the file or a part of the student
    is missing or, on resume, anything is.
    """
    if not Path(weight).is_file():
        advice = (
            "nothing to resume, no epoch was finished: start again without resume"
            if resume
            else "pass a checkpoint (model_last.pth)"
        )
        raise FileNotFoundError(f"weight {weight} is no file; {advice}")
    found = set(training_state(read_checkpoint(weight, trust)))
    wanted = set(model.state_dict())
    needed = wanted if resume else {key for key in wanted if key.startswith("student.")}
    missing = sorted(needed - found)
    if missing:
        raise ValueError(
            f"{weight} matches {len(needed) - len(missing)} of {len(needed)} needed entries; "
            f"missing {', '.join(missing[:3])}{' ...' if len(missing) > 3 else ''}: "
            "was it trained with another backbone or image encoder?"
        )
    return wanted & found


def describe_hand_over(model: nn.Module, loaded: set[str], cfg: Any) -> Iterator[str]:
    """Log lines: where the weights come from and what is newly initialized."""
    wanted = set(model.state_dict())
    if not loaded:
        yield "Hand-over: no weight given, everything starts anew"
        return
    yield f"Hand-over: {len(loaded)} of {len(wanted)} entries from {cfg.weight}" + (
        " (resumed)" if cfg.resume else ""
    )
    anew = sorted({key.split(".")[0] for key in wanted - loaded})
    if anew:
        yield f"Hand-over: started anew: {', '.join(anew)}"
