"""Learning rate per iteration; the trainer adds ``total_steps`` to the configuration."""

from __future__ import annotations

from torch.optim import lr_scheduler

from pointcept.utils.registry import Registry

SCHEDULERS = Registry("schedulers")


@SCHEDULERS.register_module()
class PolyLR(lr_scheduler.LambdaLR):
    """lr · (1 − step / (total_steps + 1))^power: still above zero in the last step."""

    def __init__(self, optimizer, total_steps: int, power: float = 0.9, last_epoch: int = -1):
        def factor(step: int) -> float:
            return (1 - step / (total_steps + 1)) ** power

        super().__init__(optimizer, factor, last_epoch)


def build_scheduler(cfg, optimizer):
    return SCHEDULERS.build(dict(cfg, optimizer=optimizer))
