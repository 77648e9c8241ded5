"""Randomness of a sample as a function of (seed, epoch, index), so that a resume repeats it."""

import contextlib
import random

import numpy as np
import torch


class EpochSeeded:
    """Mix-in of a data set: `set_epoch` reaches loader workers that live through all epochs.

    The numbers live in shared memory because Pointcept's workers are persistent: they hold a copy
    of the data set from before the first epoch. `WSegPCReproducibleSampling` calls `set_epoch`;
    where a config lacks that hook, samples are drawn from the worker's own generators, as
    Pointcept's are.
    """

    def init_seeding(self):
        self._clock = torch.full((2,), -1, dtype=torch.int64).share_memory_()

    def set_epoch(self, seed, epoch):
        self._clock[0], self._clock[1] = int(seed), int(epoch)

    @contextlib.contextmanager
    def sample_rng(self, index):
        """Yield a numpy Generator for one sample, with the global generators seeded likewise.

        Pointcept's transforms draw from `random` and `numpy.random`; both are put back after.
        """
        if self._clock[1] < 0:  # no epoch was announced
            yield np.random.default_rng(np.random.randint(2**31, size=4))
            return
        rng = np.random.default_rng([*self._clock.tolist(), int(index)])
        state, numpy_state = random.getstate(), np.random.get_state()
        random.seed(int(rng.integers(2**32)))
        np.random.seed(int(rng.integers(2**32)))
        try:
            yield rng
        finally:
            random.setstate(state)
            np.random.set_state(numpy_state)
