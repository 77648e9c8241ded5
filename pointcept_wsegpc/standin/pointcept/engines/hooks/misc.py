"""Timing, logging, checkpoints, evaluation (N points, C classes)."""

from __future__ import annotations

import os
import shutil
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch

from .builder import HOOKS
from .default import HookBase

PARTS = ("optimizer", "scheduler", "scaler")  # of a trainer, beside the model


@HOOKS.register_module()
class IterationTimer(HookBase):
    """Seconds per iteration, waiting for data included, and the time that remains."""

    def __init__(self, warmup_iter=1):
        self.warmup_iter = warmup_iter

    def before_train(self):
        trainer = self.trainer
        self.remaining = (trainer.max_epoch - trainer.start_epoch) * len(trainer.train_loader)

    def before_epoch(self):
        self.start = time.perf_counter()

    def before_step(self):
        self.trainer.storage.put_scalar("data_time", time.perf_counter() - self.start)

    def after_step(self):
        storage, info, now = self.trainer.storage, self.trainer.comm_info, time.perf_counter()
        storage.put_scalar("batch_time", now - self.start)
        self.start, self.remaining = now, self.remaining - 1
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
        trainer, lr = self.trainer, self.trainer.optimizer.param_groups[0]["lr"]
        values = {k: v.item() for k, v in trainer.comm_info["model_output_dict"].items()}
        self.keys = list(values)
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
        trainer, epoch = self.trainer, self.trainer.epoch + 1
        folder = Path(trainer.cfg.save_path, "model")
        last, copies = folder / "model_last.pth", []
        if trainer.cfg.evaluate and self._is_best():
            copies.append(folder / "model_best.pth")
        if self.save_freq and epoch % self.save_freq == 0:
            copies.append(folder / f"epoch_{epoch}.pth")
        checkpoint = {"epoch": epoch, "state_dict": trainer.model.state_dict()}
        checkpoint["best_metric_value"] = trainer.best_metric_value
        for name in PARTS:
            part = getattr(trainer, name)
            checkpoint[name] = part.state_dict() if part else None
        trainer.logger.info(f"Saving checkpoint to: {last}")
        torch.save(checkpoint, f"{last}.tmp")
        os.replace(f"{last}.tmp", last)
        for target in copies:
            shutil.copyfile(last, f"{target}.tmp")
            os.replace(f"{target}.tmp", target)

    def _is_best(self) -> bool:
        trainer, info = self.trainer, self.trainer.comm_info
        best, value = trainer.best_metric_value, info["current_metric_value"]
        trainer.best_metric_value = max(best, value)
        name = info["current_metric_name"]
        trainer.logger.info(f"Currently Best {name}: {trainer.best_metric_value:.4f}")
        return bool(value > best)


@HOOKS.register_module()
class CheckpointLoader(HookBase):
    """Load ``cfg.weight`` into the model; with ``cfg.resume`` go on after its epoch.

    As in Pointcept, a missing file is logged and training starts from scratch, unless it was to be
    resumed.
    """

    def __init__(self, strict=False):
        self.strict = strict

    def before_train(self):
        trainer, weight = self.trainer, self.trainer.cfg.weight
        if not weight or not os.path.isfile(weight):
            if trainer.cfg.resume:
                raise FileNotFoundError(f"resume=True, but there is no checkpoint {weight}")
            trainer.logger.info(f"No weight found at: {weight}")
            return
        trainer.logger.info(f"Loading weight at: {weight}")
        checkpoint = torch.load(weight, map_location=trainer.device, weights_only=False)
        # One of several GPUs has "module." in front of every key.
        state = {k.removeprefix("module."): v for k, v in checkpoint["state_dict"].items()}
        result = trainer.model.load_state_dict(state, strict=self.strict)
        trainer.logger.info(f"Missing keys: {result.missing_keys}")
        trainer.logger.info(f"Unexpected keys: {result.unexpected_keys}")
        if trainer.cfg.resume:
            trainer.logger.info(f"Resuming train at eval epoch: {checkpoint['epoch']}")
            trainer.start_epoch = checkpoint["epoch"]
            trainer.best_metric_value = checkpoint["best_metric_value"]
            for part in PARTS:
                if getattr(trainer, part):
                    getattr(trainer, part).load_state_dict(checkpoint[part])


@HOOKS.register_module()
class SemSegEvaluator(HookBase):
    """Mean IoU over all classes after each epoch; it is also what chooses the best checkpoint.

    A batch that carries ``inverse`` (point to voxel) and ``origin_segment`` is scored on the
    original points. A class that occurs neither in labels nor in predictions counts as IoU 0.
    """

    def after_epoch(self):
        if self.trainer.cfg.evaluate:
            self.eval()

    def after_train(self):
        self.trainer.logger.info(f"Best mIoU: {self.trainer.best_metric_value:.4f}")

    def eval(self):
        trainer, classes = self.trainer, self.trainer.cfg.data.num_classes
        trainer.logger.info(">>>>>>>>>>>>>>>> Start Evaluation >>>>>>>>>>>>>>>>")
        trainer.model.eval()
        confusion, losses = np.zeros((classes, classes), np.int64), []  # rows: true classes
        for batch in trainer.val_loader:
            pred, segment, loss = self._predict(batch)
            valid = segment != trainer.cfg.data.ignore_index
            pairs = segment[valid] * classes + pred[valid]
            confusion += np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
            losses.append(loss)
            trainer.logger.info(f"Test: [{len(losses)}/{len(trainer.val_loader)}] Loss {loss:.4f} ")
        hit, target, predicted = np.diag(confusion), confusion.sum(1), confusion.sum(0)
        iou, accuracy = hit / np.maximum(target + predicted - hit, 1), hit / np.maximum(target, 1)
        scores = {"mIoU": iou.mean(), "mAcc": accuracy.mean()}
        scores["allAcc"] = hit.sum() / max(target.sum(), 1)
        values = "/".join(f"{score:.4f}" for score in scores.values())
        trainer.logger.info(f"Val result: {'/'.join(scores)} {values}.")
        for i, name in enumerate(trainer.cfg.data.names):
            numbers = f"{iou[i]:.4f}/{accuracy[i]:.4f}"
            trainer.logger.info(f"Class_{i}-{name} Result: iou/accuracy {numbers}")
        for name, score in {"loss": float(np.mean(losses)), **scores}.items():
            trainer.writer.add_scalar(f"val/{name}", score, trainer.epoch + 1)
        trainer.logger.info("<<<<<<<<<<<<<<<<< End Evaluation <<<<<<<<<<<<<<<<<")
        metric = {"current_metric_value": float(scores["mIoU"]), "current_metric_name": "mIoU"}
        trainer.comm_info.update(metric)

    @torch.no_grad()
    def _predict(self, batch: dict) -> tuple[np.ndarray, np.ndarray, float]:
        """Predicted and true class (N,) of each point, and the loss."""
        device = self.trainer.device
        batch = {k: v.to(device) if torch.is_tensor(v) else v for k, v in batch.items()}
        output = self.trainer.model(batch)
        pred, segment = output["seg_logits"].argmax(1), batch["segment"]
        if "inverse" in batch:
            pred, segment = pred[batch["inverse"]], batch["origin_segment"]
        return pred.cpu().numpy(), segment.cpu().numpy(), output["loss"].item()
