"""What a table runs: trainings, exports, predictions, partitions; each named by what decides it.

Jobs that rows and tables share have one name, so they run once.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.label_files import STORE_FILE
from pointcept_wsegpc.contracts.label_store import LabelStore
from pointcept_wsegpc.contracts.scene import scene_dirs
from pointcept_wsegpc.contracts.tags import TAGS_FILE
from pointcept_wsegpc.files import write_json
from pointcept_wsegpc.jobs.steps import last_checkpoint

from .commands import (
    REPOSITORY,
    export_labels,
    predict_labels,
    read_truth,
    relative,
    resume_options,
    stage_two_miou,
    wsegpc,
)
from .data import leave_unassigned, link_scenes


@dataclass(frozen=True, eq=False)
class Job:
    """settings, which JSON can hold, and `needs` {role: job} decide the result; the title says it.

    Every job has a folder `out/<name>`.
    """

    title: str
    settings: dict
    needs: dict[str, Job] = field(default_factory=dict)
    kind: ClassVar[str] = ""

    @functools.cached_property
    def name(self) -> str:
        return f"{self.kind}-{digest([self.settings, {k: j.name for k, j in self.needs.items()}])}"

    def output(self, out: Path) -> Path:
        """What is there when the job is finished."""
        raise NotImplementedError

    def run(self, out: Path, command: Callable[[list[str]], None], resume: bool) -> None:
        """Do the job; `command` runs one. resume: go on where an earlier attempt was cut short."""
        raise NotImplementedError


def digest(value) -> str:
    text = json.dumps(value, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class Training(Job):
    """tools/train.py. settings["config"]: the configuration, without the paths of what it needs.

    needs: "weight", the training whose weights it starts from; "labels", what wrote its labels;
    "regions", the partition of its data.
    """

    kind = "train"

    def folder(self, out):
        return out / self.name / "run"

    def output(self, out):
        return last_checkpoint(self.folder(out))

    def store(self, out):
        return self.folder(out) / "pseudo_labels"

    def run(self, out, command, resume):
        from mmengine.config import Config

        cfg, folder = Config(copy.deepcopy(self.settings["config"])), self.folder(out)
        first = self.needs.get("weight")
        weight = relative(first.output(out)) if first else None
        cfg.update(save_path=relative(folder), weight=weight, resume=False)
        if "labels" in self.needs:
            cfg.data.train.store = relative(self.needs["labels"].store(out))
        if "regions" in self.needs:
            use_root(cfg, relative(self.needs["regions"].root(out)))
        cfg.update(resume_options(folder, resume))
        file = out / self.name / "job.py"
        cfg.dump(str(file))
        command(wsegpc("train", config_file=relative(file)))


def use_root(cfg, root: str) -> None:
    """Let a training, and the labels that it exports, read another data root."""
    parts = [cfg.data[part] for part in ("train", "val") if part in cfg.data]
    for dataset in [*parts, *(hook.dataset for hook in cfg.hooks if "dataset" in hook)]:
        dataset.data_root = root


class Export(Job):
    """Labels of a split, without its tags, by the stage one in needs["model"]."""

    kind = "export"

    def store(self, out):
        return out / self.name / "labels"

    def output(self, out):
        return self.store(out) / STORE_FILE

    def run(self, out, command, resume):
        folder = self.needs["model"].folder(out)
        command(export_labels(folder, self.settings["split"], self.store(out)))


class Predict(Job):
    """mIoU of a split's labels by the stage two in needs["model"]; settings: root, split."""

    kind = "predict"

    def output(self, out):
        return out / self.name / "miou.json"

    def run(self, out, command, resume):
        folder, labels = self.needs["model"].folder(out), out / self.name / "labels"
        root, split = REPOSITORY / self.settings["root"], self.settings["split"]
        command(predict_labels(folder, split, labels))
        scenes = len(scene_dirs(root, split))
        miou = stage_two_miou(root, split, labels)
        write_json(self.output(out), {"miou": miou, "scenes": scenes})


class Partition(Job):
    """A data root with other regions; settings: source, method (None: no regions), preset."""

    kind = "regions"

    def root(self, out):
        return out / self.name / "data"

    def output(self, out):
        return self.root(out) / TAGS_FILE

    def run(self, out, command, resume):
        source, root = REPOSITORY / self.settings["source"], self.root(out)
        if not resume:
            shutil.rmtree(root, ignore_errors=True)
        link_scenes(source, root)
        if self.settings["method"] is None:
            leave_unassigned(root)
            return
        preset = {"preset": self.settings["preset"]} if self.settings["preset"] else {}
        extract = wsegpc("regions", method=self.settings["method"], **preset)
        command([*extract, relative(root)])


class Truth(Job):
    """Ground truth of the training scenes in a pseudo-label store; settings: root, names."""

    kind = "truth"

    def store(self, out):
        return out / self.name / "labels"

    def output(self, out):
        return self.store(out) / STORE_FILE

    def run(self, out, command, resume):
        root = REPOSITORY / self.settings["root"]
        scenes, table = scene_dirs(root, "train"), ClassTable.read(root)
        store = LabelStore(self.store(out), self.settings["names"], {"source": "ground truth"})
        store.open([scene.name for scene in scenes])
        for scene in scenes:
            segment = read_truth(scene, table)
            store.write(scene.name, segment, np.ones(len(segment)))
        store.finish()
