"""Timing, logging and checkpoints."""

from __future__ import annotations

import os
import shutil
import time
from datetime import timedelta
from pathlib import Path

import torch

from .builder import HOOKS
from .default import HookBase


@HOOKS.register_module()
class IterationTimer(HookBase):
    """Seconds per iteration, waiting for data included, and the time that remains."""

    def __init__(self, warmup_iter=1):
        self.warmup_iter = warmup_iter

    def before_train(self):
        epochs = self.trainer.max_epoch - self.trainer.start_epoch
        self.remaining = epochs * len(self.trainer.train_loader)

    def before_epoch(self):
        self.start = time.perf_counter()

    def before_step(self):
        self.trainer.storage.put_scalar("data_time", time.perf_counter() - self.start)

    def after_step(self):
        now = time.perf_counter()
        storage, info = self.trainer.storage, self.trainer.comm_info
        storage.put_scalar("batch_time", now - self.start)
        self.start = now
        self.remaining -= 1
        data, batch = storage.history("data_time"), storage.history("batch_time")
        remaining = timedelta(seconds=round(self.remaining * batch.avg))
        if "iter_info" in info:
            info["iter_info"] += (
                f"Data {data.val:.3f} ({data.avg:.3f}) Batch {batch.val:.3f} ({batch.avg:.3f}) "
                f"Remain {remaining} "
            )
        if info["iter"] <= self.warmup_iter:  # the first steps are slow and would spoil the mean
            data.reset()
            batch.reset()


@HOOKS.register_module()
class InformationWriter(HookBase):
    """Every scalar that the model returned: to the log and, per step and epoch, to TensorBoard."""

    def before_train(self):
        self.trainer.comm_info["iter_info"] = ""
        self.step = self.trainer.start_epoch * len(self.trainer.train_loader)
        self.keys = []

    def before_step(self):
        trainer = self.trainer
        self.step += 1
        trainer.comm_info["iter_info"] += (
            f"Train: [{trainer.epoch + 1}/{trainer.max_epoch}]"
            f"[{trainer.comm_info['iter'] + 1}/{len(trainer.train_loader)}] "
        )

    def after_step(self):
        trainer = self.trainer
        values = {k: v.item() for k, v in trainer.comm_info["model_output_dict"].items()}
        self.keys = list(values)
        lr = trainer.optimizer.param_groups[0]["lr"]
        trainer.writer.add_scalar("params/lr", lr, self.step)
        for key, value in values.items():
            trainer.storage.put_scalar(key, value)
            trainer.writer.add_scalar(f"train_batch/{key}", value, self.step)
        scalars = "".join(f"{key}: {value:.4f} " for key, value in values.items())
        trainer.logger.info(f"{trainer.comm_info['iter_info']}{scalars}Lr: {lr:.5f}")
        trainer.comm_info["iter_info"] = ""

    def after_epoch(self):
        trainer = self.trainer
        means = {key: trainer.storage.history(key).avg for key in self.keys}
        scalars = " ".join(f"{key}: {mean:.4f}" for key, mean in means.items())
        trainer.logger.info(f"Train result: {scalars}")
        for key, mean in means.items():
            trainer.writer.add_scalar(f"train/{key}", mean, trainer.epoch + 1)


@HOOKS.register_module()
class CheckpointSaver(HookBase):
    """After each epoch ``model_last.pth``; ``model_best.pth`` when the metric rose; every
    ``save_freq`` epochs ``epoch_<n>.pth``. A file is complete or absent, never half written."""

    def __init__(self, save_freq=None):
        self.save_freq = save_freq

    def after_epoch(self):
        trainer = self.trainer
        folder = Path(trainer.cfg.save_path, "model")
        is_best = trainer.cfg.evaluate and self._is_best()
        last = folder / "model_last.pth"
        epoch = trainer.epoch + 1
        checkpoint = {
            "epoch": epoch,
            "state_dict": trainer.model.state_dict(),
            "optimizer": trainer.optimizer.state_dict(),
            "scheduler": trainer.scheduler.state_dict(),
            "scaler": trainer.scaler.state_dict() if trainer.scaler else None,
            "best_metric_value": trainer.best_metric_value,
        }
        trainer.logger.info(f"Saving checkpoint to: {last}")
        torch.save(checkpoint, f"{last}.tmp")
        os.replace(f"{last}.tmp", last)
        if is_best:
            self._copy(last, folder / "model_best.pth")
        if self.save_freq and epoch % self.save_freq == 0:
            self._copy(last, folder / f"epoch_{epoch}.pth")

    def _is_best(self) -> bool:
        trainer = self.trainer
        name = trainer.comm_info["current_metric_name"]
        value = trainer.comm_info["current_metric_value"]
        is_best = bool(value > trainer.best_metric_value)
        if is_best:
            trainer.best_metric_value = value
            trainer.logger.info(f"Best validation {name} updated to: {value:.4f}")
        trainer.logger.info(f"Currently Best {name}: {trainer.best_metric_value:.4f}")
        return is_best

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        shutil.copyfile(source, f"{target}.tmp")
        os.replace(f"{target}.tmp", target)


@HOOKS.register_module()
class CheckpointLoader(HookBase):
    """Load ``cfg.weight`` into the model; with ``cfg.resume`` go on after its epoch.

    In parameter names the first ``keywords`` becomes ``replacement``. As in Pointcept, a missing
    file is logged and training starts from scratch, unless it was to be resumed.
    """

    def __init__(self, keywords="", replacement=None, strict=False):
        self.keywords = keywords
        self.replacement = keywords if replacement is None else replacement
        self.strict = strict

    def before_train(self):
        trainer = self.trainer
        weight = trainer.cfg.weight
        if not weight or not os.path.isfile(weight):
            if trainer.cfg.resume:
                raise FileNotFoundError(f"resume=True, but there is no checkpoint {weight}")
            trainer.logger.info(f"No weight found at: {weight}")
            return
        trainer.logger.info(f"Loading weight at: {weight}")
        checkpoint = torch.load(weight, map_location=trainer.device, weights_only=False)
        state = {self._rename(key): value for key, value in checkpoint["state_dict"].items()}
        result = trainer.model.load_state_dict(state, strict=self.strict)
        trainer.logger.info(f"Missing keys: {result.missing_keys}")
        trainer.logger.info(f"Unexpected keys: {result.unexpected_keys}")
        if trainer.cfg.resume:
            self._resume(checkpoint)

    def _rename(self, key: str) -> str:
        # Renaming sees "module." in front of every key, as it is in a multi-GPU checkpoint.
        key = "module." + key.removeprefix("module.")
        return key.replace(self.keywords, self.replacement, 1).removeprefix("module.")

    def _resume(self, checkpoint: dict) -> None:
        trainer = self.trainer
        trainer.logger.info(f"Resuming train at eval epoch: {checkpoint['epoch']}")
        trainer.start_epoch = checkpoint["epoch"]
        trainer.best_metric_value = checkpoint["best_metric_value"]
        trainer.optimizer.load_state_dict(checkpoint["optimizer"])
        trainer.scheduler.load_state_dict(checkpoint["scheduler"])
        if trainer.scaler:
            trainer.scaler.load_state_dict(checkpoint["scaler"])
