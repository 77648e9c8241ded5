"""The teacher: a copy of the student that only ever evaluates, and follows it by averaging."""

from __future__ import annotations

import copy
import functools

import torch
from torch import nn

from ..registry import check_range
from .checkpoint import state_differences


class EvalOnly(nn.Module):
    """Mixin: train() is ignored. A trainer calls model.train() every epoch, and a teacher's
    BatchNorm must go on using the statistics that it averaged from the student."""

    def train(self, mode=True):
        return super().train(False)


@functools.cache
def _eval_only(cls):
    return type(f"Teacher{cls.__name__}", (EvalOnly, cls), {})


def build_teacher(student: nn.Module) -> nn.Module:
    """Copy a module: same state, same methods, no gradients, in eval mode for good."""
    teacher = copy.deepcopy(student)
    teacher.__class__ = _eval_only(type(student))
    return teacher.requires_grad_(False).eval()


@torch.no_grad()
def ema_update(teacher: nn.Module, student: nn.Module, decay: float) -> None:
    """teacher = decay * teacher + (1 - decay) * student, over parameters and buffers.

    Floating-point tensors are averaged, BatchNorm statistics too; integers are copied. decay is in
    [0, 1], and 0 copies. Raises ValueError where the two do not have the same tensors.
    """
    check_range(0, 1, decay=decay)
    targets, sources, others = [], [], []
    # keep_vars spares a detach for each of them.
    ours, theirs = teacher.state_dict(keep_vars=True), student.state_dict(keep_vars=True)
    if found := state_differences(ours, theirs):
        raise ValueError(
            f"teacher and student differ in {found}; build the teacher with build_teacher(student)"
        )
    for key, target in ours.items():
        source = theirs[key]
        if target.is_floating_point():
            targets.append(target)
            sources.append(source.to(target.dtype))
        else:
            others.append((target, source))
    if targets and decay == 0:  # lerp would carry on a NaN of the teacher
        torch._foreach_copy_(targets, sources)
    elif targets:
        torch._foreach_lerp_(targets, sources, 1 - decay)
    for target, source in others:
        target.copy_(source)


@torch.no_grad()
def copy_state(teacher: nn.Module, student: nn.Module) -> None:
    """Make the teacher's state equal to the student's; raises as ``ema_update`` does."""
    ema_update(teacher, student, decay=0)
