"""Makes a resumed training repeat the samples of the uninterrupted one."""

import numpy as np
import torch
from pointcept.engines.hooks.builder import HOOKS
from pointcept.engines.hooks.default import HookBase
from pointcept.utils import comm
from torch.utils.data import DistributedSampler, RandomSampler


@HOOKS.register_module()
class WSegPCReproducibleSampling(HookBase):
    """Derive an epoch's order and samples from (seed, epoch), not from what ran before it.

    The trainer creates the loader's iterator, which draws the order and starts prefetching, before
    `before_epoch`: so an epoch is announced when the one before it ends. Place it after
    `CheckpointLoader`, which decides the first epoch.
    """

    def before_train(self):
        sampler = self.trainer.train_loader.sampler
        if isinstance(sampler, RandomSampler):
            # Without its own generator it draws from the global one, which whatever else runs
            # between two epochs moves on.
            sampler.generator = torch.Generator()
        elif isinstance(sampler, DistributedSampler):
            sampler.seed = self.trainer.cfg.seed  # the trainer tells it the epoch, not the seed
        self._announce(self.trainer.start_epoch)

    def before_epoch(self):
        torch.manual_seed(self._mixed(self.trainer.epoch, 1))  # what the model draws

    def after_epoch(self):
        self._announce(self.trainer.epoch + 1)

    def _announce(self, epoch):
        loader = self.trainer.train_loader
        if getattr(loader.sampler, "generator", None) is not None:
            loader.sampler.generator.manual_seed(self._mixed(epoch, 0))
        if hasattr(loader.dataset, "set_epoch"):
            loader.dataset.set_epoch(self.trainer.cfg.seed, epoch)

    def _mixed(self, epoch, stream):
        entropy = [self.trainer.cfg.seed, epoch, comm.get_rank(), stream]
        return int(np.random.SeedSequence(entropy).generate_state(1)[0])
