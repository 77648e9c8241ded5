"""Makes a resumed training repeat the samples of the uninterrupted one."""

import numpy as np
import torch
from pointcept.engines.hooks.builder import HOOKS
from pointcept.engines.hooks.default import HookBase
from pointcept.utils import comm


@HOOKS.register_module()
class ReproducibleSampling(HookBase):
    """Derive an epoch's order and samples from (seed, epoch), not from what ran before it.

    The trainer creates the loader's iterator, which draws the order and starts prefetching, before
    `before_epoch`: so the next epoch is announced when the last one ends. Place it after
    `CheckpointLoader`, which decides the first epoch.
    """

    def before_train(self):
        self._announce(self.trainer.start_epoch)

    def after_epoch(self):
        self._announce(self.trainer.epoch + 1)

    def _announce(self, epoch):
        seed = self.trainer.cfg.seed
        mixed = np.random.SeedSequence([seed, epoch, comm.get_rank()]).generate_state(1)
        torch.manual_seed(int(mixed[0]))
        dataset = self.trainer.train_loader.dataset
        if hasattr(dataset, "set_epoch"):
            dataset.set_epoch(seed, epoch)
