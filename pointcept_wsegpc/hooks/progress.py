"""Reports the progress of a training to the process that waits for it."""

from __future__ import annotations

import time

from pointcept.engines.hooks.builder import HOOKS
from pointcept.engines.hooks.default import HookBase
from pointcept.utils import comm

from ..jobs.process import report_progress

REPORT_SECONDS = 1  # between reports: to read the loss, the host waits for a GPU


@HOOKS.register_module()
class WSegPCProgress(HookBase):
    """Reports epoch, loss and remaining time; `wsegpc train` adds it where a process waits."""

    def before_train(self):
        self.start = self.last = time.monotonic()
        self.steps = len(self.trainer.train_loader)
        self.resumed = self.trainer.start_epoch * self.steps

    def after_step(self):
        now = time.monotonic()
        if now - self.last < REPORT_SECONDS or not comm.is_main_process():
            return
        self.last = now
        trainer = self.trainer
        total = trainer.max_epoch * self.steps
        done = trainer.epoch * self.steps + trainer.comm_info["iter"] + 1
        seconds = (now - self.start) / (done - self.resumed) * (total - done)
        loss = float(trainer.comm_info["model_output_dict"]["loss"])
        about = f"epoch {trainer.epoch + 1}/{trainer.max_epoch}, loss {loss:.4f}"
        report_progress("step", done, total, seconds, about)
