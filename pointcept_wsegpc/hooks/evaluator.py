"""Validation of stage one: 3D and 2D mIoU, with and without the scenes' tags.

Shapes: N points, V views of H x W pixels, C classes.
"""

import numpy as np
import torch
from pointcept.engines.hooks.builder import HOOKS
from pointcept.engines.hooks.default import HookBase

from ..labels.vote import known_labels, scene_probs
from ..losses.ragged import to_device
from ..metrics import iou_table, mean_iou, scene_confusions
from .common import REGIONS, check_files, sum_confusion, unwrap, write_scalars

# What is evaluated, as it is logged.
TITLES = {
    "3D": "mIoU",
    "3D with tags": "mIoU_3d_tags",
    "2D": "mIoU_2d",
    "2D with tags": "mIoU_2d_tags",
}


@HOOKS.register_module()
class WSegPCEvaluator(HookBase):
    """Evaluate the model's inference network on the validation loader after every epoch.

    The metric that selects the best checkpoint is the 3D mIoU *without* tags: with them, ground
    truth of the validation scenes would take part in the choice.
    """

    def before_train(self):
        if self.trainer.cfg.evaluate:
            dataset = self.trainer.val_loader.dataset
            unlabeled = "label these scenes, or set evaluate=False"
            check_files(dataset, REGIONS | {f"{dataset.table.label_file}.npy": unlabeled})

    def after_epoch(self):
        if self.trainer.cfg.evaluate:
            self.evaluate()

    @torch.no_grad()
    def evaluate(self):
        trainer, model = self.trainer, unwrap(self.trainer.model)
        names = trainer.cfg.data.names
        model.eval()
        device = next(model.parameters()).device
        total = {title: np.zeros((len(names) + 1,) * 2, np.int64) for title in TITLES}
        losses = []
        for batch in trainer.val_loader:
            batch = to_device(batch, device)
            result = model(batch)
            counts = scene_confusions(labelings(batch, result), len(names))
            for title, count in counts.items():
                total[title] += count
            losses.append(result["loss"].item())
        total = {title: sum_confusion(count, device) for title, count in total.items()}
        miou = {title: mean_iou(count) for title, count in total.items()}
        trainer.logger.info("Validation IoU (%), no region vote\n" + iou_table(total, names))
        scalars = {f"val/{TITLES[title]}": value for title, value in miou.items()}
        write_scalars(trainer, {**scalars, "val/loss": float(np.mean(losses))}, trainer.epoch + 1)
        trainer.comm_info["current_metric_name"] = "mIoU"
        trainer.comm_info["current_metric_value"] = miou["3D"]


def labelings(batch, result):
    """{title: (prediction, target)} of one evaluated scene, for each of TITLES."""
    if "origin_segment" not in batch or len(batch["offset"]) != 1:
        raise ValueError(
            f"got a validation batch of {len(batch['offset'])} scene(s) "
            f"{'with' if 'origin_segment' in batch else 'without'} point labels; expected 1 with: "
            "set batch_size_val to the number of GPUs, or evaluate=False where there are no labels"
        )
    rows = {
        "3D": (result["seg_logits"], batch["inverse"], batch["origin_segment"]),
        "2D": (result["image_logits"], slice(None), batch["image_segment"]),
    }
    pairs = {}
    for title, (logits, inverse, target) in rows.items():
        masked, _ = known_labels(scene_probs(logits, batch["scene_tags"]))
        for name, pred in ((title, logits.max(1)[1]), (f"{title} with tags", masked)):
            pairs[name] = pred[inverse].cpu().numpy(), target.cpu().numpy()
    return pairs
