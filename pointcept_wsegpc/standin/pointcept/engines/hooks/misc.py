"""Timing, logging, checkpoints, evaluation (N points, C classes)."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import torch

from pointcept_wsegpc.files import atomic_path
from pointcept_wsegpc.losses.ragged import to_device
from pointcept_wsegpc.metrics import confusion, iou, iou_table
from pointcept_wsegpc.models.checkpoint import read_checkpoint, trusts_weights

from .builder import HOOKS
from .default import HookBase

PARTS = ("optimizer", "scheduler", "scaler")  # of a trainer, beside the model


def write_scalars(trainer, scalars, step):
    for name, value in scalars.items():
        trainer.writer.add_scalar(name, value, step)


@HOOKS.register_module()
class IterationTimer(HookBase):
    """Seconds per step so far in the epoch, waiting for data included."""

    def __init__(self, warmup_iter=1):
        pass

    def before_epoch(self):
        self.start = time.perf_counter()

    def after_step(self):
        info = self.trainer.comm_info
        seconds = (time.perf_counter() - self.start) / (info["iter"] + 1)
        info["iter_info"] = f"Batch {seconds:.3f} s "


@HOOKS.register_module()
class InformationWriter(HookBase):
    """Every scalar that the model returned: to the log and, per step and epoch, to TensorBoard."""

    def before_epoch(self):
        self.values = []

    def after_step(self):
        trainer, info = self.trainer, self.trainer.comm_info
        lr, steps = trainer.optimizer.param_groups[0]["lr"], len(trainer.train_loader)
        values = {k: v.item() for k, v in info["model_output_dict"].items()}
        self.values.append(values)
        batch = {f"train_batch/{key}": value for key, value in values.items()}
        step = info["iter"] + 1
        write_scalars(trainer, {"params/lr": lr, **batch}, trainer.epoch * steps + step)
        scalars = "".join(f"{key}: {value:.4f} " for key, value in values.items())
        place = f"Train: [{trainer.epoch + 1}/{trainer.max_epoch}][{step}/{steps}]"
        trainer.logger.info(f"{place} {info.get('iter_info', '')}{scalars}Lr: {lr:.5f}")

    def after_epoch(self):
        trainer, keys = self.trainer, {key for values in self.values for key in values}
        means = {k: np.mean([v[k] for v in self.values if k in v]) for k in sorted(keys)}
        scalars = " ".join(f"{key}: {mean:.4f}" for key, mean in means.items())
        trainer.logger.info(f"Train result: {scalars}")
        write_scalars(trainer, {f"train/{k}": v for k, v in means.items()}, trainer.epoch + 1)


@HOOKS.register_module()
class CheckpointSaver(HookBase):
    """After each epoch ``model_last.pth``; ``model_best.pth`` when the metric rose; every
    ``save_freq`` epochs ``epoch_<n>.pth``. A file is complete or absent, never half written."""

    def __init__(self, save_freq=None):
        self.save_freq = save_freq

    def after_epoch(self):
        trainer, epoch = self.trainer, self.trainer.epoch + 1
        names = ["model_last"]
        if trainer.cfg.evaluate:
            name, value = (trainer.comm_info[f"current_metric_{key}"] for key in ("name", "value"))
            if value > trainer.best_metric_value:
                trainer.best_metric_value = value
                names.append("model_best")
            trainer.logger.info(f"Currently Best {name}: {trainer.best_metric_value:.4f}")
        if self.save_freq and epoch % self.save_freq == 0:
            names.append(f"epoch_{epoch}")
        checkpoint = {name: getattr(trainer, name).state_dict() for name in PARTS}
        checkpoint |= {"epoch": epoch, "best_metric_value": trainer.best_metric_value}
        checkpoint["state_dict"] = trainer.model.state_dict()
        for name in names:
            with atomic_path(Path(trainer.cfg.save_path, "model", f"{name}.pth")) as temporary:
                torch.save(checkpoint, temporary)


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
        checkpoint = read_checkpoint(weight, trusts_weights(trainer))
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

    @torch.no_grad()
    def eval(self):
        trainer, data = self.trainer, self.trainer.cfg.data
        trainer.model.eval()
        counts, losses = np.zeros((data.num_classes,) * 2, np.int64), []
        for batch in trainer.val_loader:
            batch = to_device(batch, trainer.device)
            output = trainer.model(batch)
            pred, segment = output["seg_logits"].argmax(1), batch["segment"]
            if "inverse" in batch:
                pred, segment = pred[batch["inverse"]], batch["origin_segment"]
            pred, segment = pred.cpu().numpy(), segment.cpu().numpy()
            counts += confusion(pred, segment, data.num_classes, data.ignore_index)
            losses.append(output["loss"].item())
        hit, target = np.diag(counts), counts.sum(1)
        scores = {
            "mIoU": np.nan_to_num(iou(counts)).mean(),
            "mAcc": (hit / np.maximum(target, 1)).mean(),
            "allAcc": hit.sum() / max(target.sum(), 1),
        }
        values = "/".join(f"{score:.4f}" for score in scores.values())
        trainer.logger.info(f"Val result: {'/'.join(scores)} {values}.")
        trainer.logger.info("Validation IoU (%)\n" + iou_table({"3D": counts}, data.names))
        scalars = {f"val/{name}": score for name, score in scores.items()}
        write_scalars(trainer, {**scalars, "val/loss": np.mean(losses)}, trainer.epoch + 1)
        trainer.comm_info["current_metric_name"] = "mIoU"
        trainer.comm_info["current_metric_value"] = float(scores["mIoU"])
