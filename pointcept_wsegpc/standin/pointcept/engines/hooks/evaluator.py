"""Semantic segmentation metrics on the validation data (N points, C classes)."""

from __future__ import annotations

import numpy as np
import torch

from .builder import HOOKS
from .default import HookBase


@HOOKS.register_module()
class SemSegEvaluator(HookBase):
    """Mean IoU over all classes after each epoch; it is also what chooses the best checkpoint.

    A batch that carries ``inverse`` (point to voxel) and ``origin_segment`` is scored on the
    original points. A class that occurs neither in labels nor in predictions counts as IoU 0.
    """

    def __init__(self, write_cls_iou=False):
        self.write_cls_iou = write_cls_iou

    def after_epoch(self):
        if self.trainer.cfg.evaluate:
            self.eval()

    def after_train(self):
        self.trainer.logger.info(f"Best mIoU: {self.trainer.best_metric_value:.4f}")

    def eval(self):
        trainer = self.trainer
        trainer.logger.info(">>>>>>>>>>>>>>>> Start Evaluation >>>>>>>>>>>>>>>>")
        trainer.model.eval()
        classes = trainer.cfg.data.num_classes
        confusion = np.zeros((classes, classes), np.int64)
        losses = []
        for batch in trainer.val_loader:
            pred, segment, loss = self._predict(batch)
            valid = segment != trainer.cfg.data.ignore_index
            pairs = segment[valid] * classes + pred[valid]
            confusion += np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
            losses.append(loss)
            trainer.logger.info(f"Test: [{len(losses)}/{len(trainer.val_loader)}] Loss {loss:.4f} ")
        self._report(confusion, float(np.mean(losses)))

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

    def _report(self, confusion: np.ndarray, loss: float) -> None:
        """Log and write the scores of ``confusion`` (C, C), rows are the true classes."""
        trainer, epoch = self.trainer, self.trainer.epoch + 1
        hit, target, predicted = np.diag(confusion), confusion.sum(1), confusion.sum(0)
        iou = hit / np.maximum(target + predicted - hit, 1)
        accuracy = hit / np.maximum(target, 1)
        overall = hit.sum() / max(target.sum(), 1)
        scores = {"mIoU": iou.mean(), "mAcc": accuracy.mean(), "allAcc": overall}
        values = "/".join(f"{score:.4f}" for score in scores.values())
        trainer.logger.info(f"Val result: {'/'.join(scores)} {values}.")
        for i, name in enumerate(trainer.cfg.data.names):
            trainer.logger.info(
                f"Class_{i}-{name} Result: iou/accuracy {iou[i]:.4f}/{accuracy[i]:.4f}"
            )
            if self.write_cls_iou:
                trainer.writer.add_scalar(f"val/cls_{i}-{name} IoU", iou[i], epoch)
        for name, score in dict(loss=loss, **scores).items():
            trainer.writer.add_scalar(f"val/{name}", score, epoch)
        trainer.logger.info("<<<<<<<<<<<<<<<<< End Evaluation <<<<<<<<<<<<<<<<<")
        trainer.comm_info["current_metric_value"] = float(scores["mIoU"])
        trainer.comm_info["current_metric_name"] = "mIoU"
