"""Exports the trained network's labels of whole scenes, on their original points.

Shapes: N original points, C classes.
"""

import logging
import sys
from pathlib import Path

import numpy as np
import torch
from pointcept.datasets import build_dataset, collate_fn
from pointcept.engines.hooks.builder import HOOKS
from pointcept.engines.hooks.default import HookBase
from pointcept.utils import comm

from .. import schema
from ..files import write_arrays
from ..labels import IGNORE
from ..losses.consistency import region_labels
from ..losses.tags import pixel_rows, tag_softmax
from ..metrics import confusion_with_misses, iou_table
from .common import to_device, unwrap, write_scalars
from .label_store import finish_store, open_store
from .scene_tags import check_listed

logger = logging.getLogger(__name__)

MEASURES = ("3D", "3D per point", "2D")


@HOOKS.register_module()
class PseudoLabelExporter(HookBase):
    """Write pseudo-labels after training, and every `every` epochs if that is > 0.

    Args:
        store: folder of the pseudo-labels, default <save_path>/pseudo_labels; an interrupted
            export continues there, one of other weights or settings is replaced.
        dataset: config of a multi-view data set in mode "eval"; default: the training scenes.
        network: "teacher" or "student". use_tags: mask with the scenes' tags.
        region_vote: one label per region (Eq. 2-3), instead of per point.
        num_worker: loader processes of the export.
    """

    def __init__(
        self,
        store=None,
        dataset=None,
        network="teacher",
        use_tags=True,
        region_vote=True,
        every=0,
        num_worker=2,
    ):
        self.dataset = dataset
        self.store = store
        self.settings = {"network": network, "use_tags": use_tags, "region_vote": region_vote}
        self.every = every
        self.num_worker = num_worker

    def after_epoch(self):
        epoch = self.trainer.epoch + 1
        if self.every and epoch % self.every == 0 and epoch < self.trainer.max_epoch:
            self.export()

    def after_train(self):
        self.export()

    def export(self):
        trainer = self.trainer
        manifest = export_pseudo_labels(
            unwrap(trainer.model),
            build_dataset(self.dataset or {**trainer.cfg.data.train, "mode": "eval"}),
            self.store or Path(trainer.cfg.save_path) / "pseudo_labels",
            **self.settings,
            config=str(Path(trainer.cfg.save_path).resolve() / "config.py"),
            num_worker=self.num_worker,
            log=trainer.logger.info,
        )
        miou = manifest.get("miou", {})
        scalars = {f"pseudo_label/{name}".replace(" ", "_"): value for name, value in miou.items()}
        write_scalars(trainer, scalars, trainer.epoch + 1)


def export_pseudo_labels(
    model,
    dataset,
    store,
    network="teacher",
    use_tags=True,
    region_vote=True,
    config="",
    num_worker=0,
    log=logger.info,
):
    """Label every scene of `dataset` and return the store's manifest.

    Each process of a distributed run labels its share. A scene whose files are there, written by
    the same weights and settings, is not labelled again.
    """
    settings = {"network": network, "use_tags": use_tags, "region_vote": region_vote}
    if use_tags:
        check_listed(dataset, "or export without tags (use_tags=False, --no-tags)")
    names = [scene.name for scene in dataset.scenes]
    if comm.is_main_process():
        open_store(store, model.network(network), settings, log)
    comm.synchronize()
    mine = [i for i in range(len(names)) if i % comm.get_world_size() == comm.get_rank()]
    todo = [i for i in mine if not schema.has_pseudo_label(store, names[i])]
    log(f"Export to {Path(store).resolve()}: {len(todo)} of {len(mine)} scenes to label")
    loader = torch.utils.data.DataLoader(
        torch.utils.data.Subset(dataset, todo),
        collate_fn=collate_fn,
        num_workers=num_worker,
        # Python 3.14's fork server would leave workers behind when this process is killed.
        multiprocessing_context="fork" if num_worker and sys.platform == "linux" else None,
    )
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    for done, batch in enumerate(loader, 1):
        label, confidence, counts = label_scene(
            model, to_device(batch, device), network, use_tags, region_vote, len(dataset.names)
        )
        scene = batch["name"][0]
        write_arrays(schema.measures_path(store, scene), **counts)
        schema.write_pseudo_label(store, scene, label, confidence)
        log(f"Export: [{done}/{len(todo)}] {scene}")
    model.train(training)
    comm.synchronize()
    manifest = {}
    if comm.is_main_process():
        manifest, confusions = finish_store(store, names, dataset.names, config)
        if confusions:
            log("Pseudo-label IoU (%)\n" + iou_table(confusions, dataset.names))
        log(f"Export: coverage {100 * manifest['coverage']:.1f} % of the points, manifest written")
    comm.synchronize()
    return manifest


@torch.no_grad()
def label_scene(model, batch, network, use_tags, region_vote, num_classes):
    """Labels of one evaluation sample.

    Returns: label (N,) int16, IGNORE where nothing is predicted (no tags at all); confidence (N,)
    float32; and, with ground truth, a confusion (C + 1, C + 1) for each of MEASURES.
    """
    labelled = "origin_segment" in batch
    if not labelled:  # the images matter only for the 2D measure
        batch = {key: value for key, value in batch.items() if key != "image"}
    result = model.infer(batch, network)
    tags = batch["tags"] if use_tags else torch.ones_like(batch["tags"])
    probs = scene_probs(result["seg_logits"], tags)[batch["inverse"]]
    alone = torch.full_like(batch["inverse"], -1)
    label, confidence = known_labels(probs, batch["origin_region"].long() if region_vote else alone)
    counts = {}
    if labelled:
        pixel_probs = scene_probs(pixel_rows(result["image_logits"]), tags)
        target = batch["image_label"].flatten()
        pairs = {
            "3D": (label, batch["origin_segment"]),
            "3D per point": (known_labels(probs, alone)[0], batch["origin_segment"]),
            "2D": (known_labels(pixel_probs, torch.full_like(target, -1))[0], target),
        }
        counts = {
            measure: confusion_with_misses(pred.cpu().numpy(), target.cpu().numpy(), num_classes)
            for measure, (pred, target) in pairs.items()
        }
    return label.cpu().numpy().astype(np.int16), confidence.float().cpu().numpy(), counts


def known_labels(probs, region):
    """Label (N,) and confidence (N,) of each point's region; IGNORE where nothing is predicted."""
    label, confidence = region_labels(probs, region)
    return torch.where(confidence > 0, label, IGNORE), confidence


def scene_probs(logits, tags):
    """Tag-masked softmax (N, C) of one scene's logits (N, C) with its tags (1, C)."""
    return tag_softmax(logits, tags, torch.tensor([len(logits)], device=logits.device))
