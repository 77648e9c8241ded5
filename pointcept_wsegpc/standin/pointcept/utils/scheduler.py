"""Learning rate per iteration; the trainer adds ``total_steps`` to the configuration."""

from __future__ import annotations

from torch.optim import lr_scheduler

from pointcept.utils.registry import Registry

SCHEDULERS = Registry("schedulers")
SCHEDULERS.register_module(module=lr_scheduler.OneCycleLR)


@SCHEDULERS.register_module()
class PolyLR(lr_scheduler.LambdaLR):
    """lr · (1 − step / (total_steps + 1))^power: still above zero in the last step."""

    def __init__(self, optimizer, total_steps: int, power: float = 0.9, last_epoch: int = -1):
        def factor(step: int) -> float:
            return (1 - step / (total_steps + 1)) ** power

        super().__init__(optimizer, factor, last_epoch)


@SCHEDULERS.register_module()
class MultiStepLR(lr_scheduler.MultiStepLR):
    """Multiply by ``gamma`` at each milestone, given as a share of the training."""

    def __init__(self, optimizer, milestones, total_steps: int, gamma=0.1, last_epoch: int = -1):
        steps = [int(share * total_steps) for share in milestones]
        super().__init__(optimizer, steps, gamma, last_epoch)


def build_scheduler(cfg, optimizer):
    return SCHEDULERS.build(dict(cfg, optimizer=optimizer))
