"""Exports the trained network's labels of whole scenes, on their original points.

Shapes: N original points, C classes.
"""

import contextlib
import hashlib
import logging
import sys
from pathlib import Path

import numpy as np
import torch
from pointcept.datasets import build_dataset, collate_fn
from pointcept.engines.hooks.builder import HOOKS
from pointcept.engines.hooks.default import HookBase
from pointcept.utils import comm

from ..contracts.label_store import LabelStore
from ..jobs.process import report_progress
from ..labels.vote import known_labels, scene_probs
from ..losses.consistency import voters
from ..losses.ragged import to_device
from ..metrics import iou, iou_table, mean_iou, scene_confusions
from ..renames import HOOK_KEYS, refuses_old
from .common import REGIONS, check_files, check_finite, unwrap, write_scalars
from .scene_tags import check_listed

logger = logging.getLogger(__name__)


@HOOKS.register_module()
@refuses_old(HOOK_KEYS)
class WSegPCPseudoLabelExporter(HookBase):
    """Write pseudo-labels after training, and every `every_epochs` epochs if that is > 0.

    Args:
        store: folder of the pseudo-labels, default <save_path>/pseudo_labels; an interrupted
            export continues there. Any other folder that is not empty is refused.
        dataset: config of a multi-view data set in mode "eval"; default: the training scenes.
        network: "teacher" or "student". use_tags: mask with the scenes' tags.
        region_vote: one label per region (Eq. 2-3), instead of per point.
        num_worker: loader processes of the export.
        replace: remove labels of other weights or settings, which a store holds; default: only in
            the default store, which is this training's own.
    """

    def __init__(
        self,
        store: str | None = None,
        dataset: dict | None = None,
        network: str = "teacher",
        use_tags: bool = True,
        region_vote: bool = True,
        every_epochs: int = 0,
        num_worker: int = 2,
        replace: bool | None = None,
    ):
        self.dataset = dataset
        self.store = store
        self.settings = {"network": network, "use_tags": use_tags, "region_vote": region_vote}
        self.replace = store is None if replace is None else replace
        if every_epochs and not self.replace:
            raise ValueError(
                f"every_epochs={every_epochs} exports several times into the store {store}; "
                "expected replace=True, so that later labels may replace earlier ones"
            )
        self.every_epochs = every_epochs
        self.num_worker = num_worker

    def before_train(self):
        """Refuse now what the export would refuse at the end of the training."""
        dataset, trained = self._dataset(), self.trainer.train_loader.dataset
        if tuple(dataset.names) != tuple(trained.names):
            raise ValueError(
                f"the exporter's data set has the classes {list(dataset.names)}, the training's "
                f"{list(trained.names)}; expected the same: give it another dataset"
            )
        check_exportable(dataset, self.settings["use_tags"])
        if comm.is_main_process():
            provenance = {"weights": "of this training", **self.settings}
            store = LabelStore(self._store(), dataset.names, provenance)
            with store.writing():
                # A training that is resumed may have ended, and its export may not.
                unknown = ("weights",) if self.trainer.cfg.resume else ()
                store.check_free(self.replace, unknown)

    def after_epoch(self):
        epoch = self.trainer.epoch + 1
        if self.every_epochs and epoch % self.every_epochs == 0 and epoch < self.trainer.max_epoch:
            self.export()

    def after_train(self):
        self.export()

    def export(self):
        trainer = self.trainer
        manifest = export_pseudo_labels(
            unwrap(trainer.model),
            self._dataset(),
            self._store(),
            **self.settings,
            config=str(Path(trainer.cfg.save_path).resolve() / "config.py"),
            num_worker=self.num_worker,
            replace=self.replace,
            log=trainer.logger.info,
        )
        miou = manifest.get("quality", {}).get("miou", {})
        scalars = {f"pseudo_label/mIoU_{name}": value for name, value in miou.items()}
        write_scalars(trainer, scalars, trainer.epoch + 1)

    def _dataset(self):
        return build_dataset(self.dataset or {**self.trainer.cfg.data.train, "mode": "eval"})

    def _store(self):
        return self.store or Path(self.trainer.cfg.save_path) / "pseudo_labels"


def check_exportable(dataset, use_tags):
    """Raise ValueError or FileNotFoundError for what a data set lacks to be labeled."""
    if use_tags:
        check_listed(dataset, "or export without tags (use_tags=False, --no-tags)")
    check_files(dataset, REGIONS)


def export_pseudo_labels(
    model,
    dataset,
    store,
    network="teacher",
    use_tags=True,
    region_vote=True,
    config="",
    num_worker=0,
    replace=False,
    log=logger.info,
):
    """Label every scene of `dataset` and return the store's manifest.

    Each process of a distributed run labels its share. A scene whose files are there, written by
    the same weights and settings, is not labeled again. Labels of others are refused, or removed
    with replace=True.
    """
    settings = {"network": network, "use_tags": use_tags, "region_vote": region_vote}
    check_finite(model.branch_net(network), f"the {network}")
    check_exportable(dataset, use_tags)
    names = dataset.scene_keys
    with contextlib.ExitStack() as held:
        if comm.is_main_process():
            provenance = {"weights": weights_hash(model.branch_net(network)), **settings}
            opened = LabelStore(store, dataset.names, provenance)
            held.enter_context(opened.writing())
            opened.open(names, replace, log)
        comm.synchronize()
        return _export(model, dataset, LabelStore.load(store), settings, config, num_worker, log)


def _export(model, dataset, store, settings, config, num_worker, log):
    """Label the scenes that the store, opened for all processes, does not have, and finish it."""
    names = dataset.scene_keys
    mine = [i for i in range(len(names)) if i % comm.get_world_size() == comm.get_rank()]
    todo = [i for i in mine if not store.has(names[i])]
    log(f"Export to {store.path}: {len(todo)} of {len(mine)} scenes to label")
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
        labels, metrics = label_scene(
            model, to_device(batch, device), num_classes=len(dataset.names), **settings
        )
        scene = batch["name"][0]
        store.write(scene, **labels, metrics=metrics)
        log(f"Export: [{done}/{len(todo)}] {scene}")
        report_progress("labels of scene", done, len(todo))
    model.train(training)
    comm.synchronize()
    manifest = {}
    if comm.is_main_process():
        confusions = sum_confusions(store)
        manifest = store.finish(store_quality(confusions, dataset.names), {"config": config})
        if confusions:
            log("Pseudo-label IoU (%)\n" + iou_table(confusions, dataset.names))
        log(f"Export: coverage {100 * manifest['coverage']:.1f} % of the points, manifest written")
        store.check_coverage()
    comm.synchronize()
    return manifest


@torch.no_grad()
def label_scene(model, batch, network, use_tags, region_vote, num_classes):
    """Labels of one evaluation sample.

    Returns: arrays by the names of LabelStore.write: label (N,), IGNORE where nothing is predicted
    (no tags at all), confidence (N,), and of region voting what the vote saw; and, with ground
    truth, a confusion (C + 1, C + 1) for each of 3d, 3d_no_vote and 2d, else {}.
    """
    labeled = "origin_segment" in batch
    if not labeled:  # the images matter only for the 2D metric
        batch = {key: value for key, value in batch.items() if key != "image"}
    result = model.infer(batch, network)
    tags = batch["scene_tags"] if use_tags else torch.ones_like(batch["scene_tags"])
    probs = scene_probs(result["seg_logits"], tags)[batch["inverse"]]
    table, row = probs, slice(None)
    if region_vote:
        region = batch["origin_region"].long()
        table, row = voters(probs, region)
    label, confidence = (values[row] for values in known_labels(table))
    labels = {"label": label, "confidence": confidence.float()}
    if region_vote:
        regions = len(table) - int((region < 0).sum())
        labels |= {"region": region, "region_probs": table[:regions].half()}
        labels["point_probs"] = table[regions:].half()
    metrics = {}
    if labeled:
        pixel_probs = scene_probs(result["image_logits"], tags)
        pairs = {
            "3d": (label, batch["origin_segment"]),
            "3d_no_vote": (known_labels(probs)[0], batch["origin_segment"]),
            "2d": (known_labels(pixel_probs)[0], batch["image_segment"]),
        }
        pairs = {name: [part.cpu().numpy() for part in pair] for name, pair in pairs.items()}
        metrics = scene_confusions(pairs, num_classes)
    return {name: array.cpu().numpy() for name, array in labels.items()}, metrics


def weights_hash(network):
    """SHA-256 (16 hex digits) of a module's state: names, shapes and values."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def sum_confusions(store):
    """{metric: confusion counts over all scenes of a store}, {} without ground truth."""
    confusions = {}
    for scene in store.manifest["scenes"]:
        for metric, counts in store.metrics(scene).items():
            confusions[metric] = confusions.get(metric, 0) + counts
    return confusions


def store_quality(confusions, names):
    """{"miou": {metric: value}, "iou": {metric: {class: value, None where it does not occur}}}."""
    quality = {"miou": {}, "iou": {}}
    for metric, counts in confusions.items():
        quality["miou"][metric] = mean_iou(counts)
        values = [None if np.isnan(value) else float(value) for value in iou(counts)]
        quality["iou"][metric] = dict(zip(names, values, strict=False))
    return quality
