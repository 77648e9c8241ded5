"""What a table runs: each job is data, named by what decides its result, and a function does it.

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

import numpy as np

from pointcept_wsegpc.commands.quickstart_report import read_truth, store_miou
from pointcept_wsegpc.commands.trainings import (
    export_labels,
    predict_labels,
    relative,
    resume_options,
    wsegpc,
)
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.label_files import STORE_FILE
from pointcept_wsegpc.contracts.label_store import LabelStore
from pointcept_wsegpc.contracts.scene import scene_dirs
from pointcept_wsegpc.contracts.tags import TAGS_FILE
from pointcept_wsegpc.files import write_json
from pointcept_wsegpc.jobs.steps import last_checkpoint

from .benchmarks import REPOSITORY
from .data import leave_unassigned, link_scenes


@dataclass(frozen=True, eq=False)
class Job:
    """settings, which JSON can hold, and `needs` {role: job} decide the result; the title says it.

    kind: one of KINDS. Every job has a folder `out/<name>`.
    """

    kind: str
    title: str
    settings: dict
    needs: dict[str, Job] = field(default_factory=dict)

    @functools.cached_property
    def name(self) -> str:
        return f"{self.kind}-{digest([self.settings, {k: j.name for k, j in self.needs.items()}])}"

    def output(self, out: Path) -> Path:
        """What is there when the job is finished."""
        return out / self.name / KINDS[self.kind][1]

    def store(self, out: Path) -> Path:
        """Its pseudo-labels."""
        return out / self.name / ("run/pseudo_labels" if self.kind == "train" else "labels")

    def folder(self, out: Path) -> Path:
        """Of a training."""
        return out / self.name / "run"

    def root(self, out: Path) -> Path:
        """The data root that a partition makes."""
        return out / self.name / "data"

    def run(self, out: Path, command: Callable[[list[str]], None], resume: bool) -> None:
        """Do the job; `command` runs one. resume: go on where an earlier attempt was cut short."""
        KINDS[self.kind][0](self, out, command, resume)


def digest(value) -> str:
    text = json.dumps(value, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def train(job: Job, out: Path, command, resume: bool) -> None:
    """`wsegpc train`. settings["config"]: the configuration, without the paths of what it needs.

    needs: "weight", the training whose weights it starts from; "labels", what wrote its labels;
    "regions", the partition of its data.
    """
    from mmengine.config import Config

    cfg, folder = Config(copy.deepcopy(job.settings["config"])), job.folder(out)
    first = job.needs.get("weight")
    weight = relative(first.output(out)) if first else None
    cfg.update(save_path=relative(folder), weight=weight, resume=False)
    if "labels" in job.needs:
        cfg.data.train.store = relative(job.needs["labels"].store(out))
    if "regions" in job.needs:
        use_root(cfg, relative(job.needs["regions"].root(out)))
    cfg.update(resume_options(folder, resume))
    file = out / job.name / "job.py"
    cfg.dump(str(file))
    command(wsegpc("train", config_file=relative(file)))


def use_root(cfg, root: str) -> None:
    """Let a training, and the labels that it exports, read another data root."""
    parts = [cfg.data[part] for part in ("train", "val") if part in cfg.data]
    for dataset in [*parts, *(hook.dataset for hook in cfg.hooks if "dataset" in hook)]:
        dataset.data_root = root


def export(job: Job, out: Path, command, resume: bool) -> None:
    """Labels of a split, without its tags, by the stage one in needs["model"]."""
    model = job.needs["model"].folder(out)
    command(export_labels(model, job.settings["split"], job.store(out)))


def predict(job: Job, out: Path, command, resume: bool) -> None:
    """mIoU of a split's labels by the stage two in needs["model"]; settings: root, split."""
    root, split = REPOSITORY / job.settings["root"], job.settings["split"]
    command(predict_labels(job.needs["model"].folder(out), split, job.store(out)))
    miou = store_miou(job.store(out))
    write_json(job.output(out), {"miou": miou, "scenes": len(scene_dirs(root, split))})


def partition(job: Job, out: Path, command, resume: bool) -> None:
    """A data root with other regions; settings: source, method (None: no regions), preset."""
    root, method, preset = job.root(out), job.settings["method"], job.settings["preset"]
    if not resume:
        shutil.rmtree(root, ignore_errors=True)
    link_scenes(REPOSITORY / job.settings["source"], root)
    if method is None:
        leave_unassigned(root)
        return
    options = {"preset": preset} if preset else {}
    command([*wsegpc("regions", method=method, **options), relative(root)])


def truth(job: Job, out: Path, command, resume: bool) -> None:
    """Ground truth of the training scenes in a label store; settings: root, names."""
    root = REPOSITORY / job.settings["root"]
    scenes, table = scene_dirs(root, "train"), ClassTable.read(root)
    store = LabelStore(job.store(out), job.settings["names"], {"source": "ground truth"})
    store.open([scene.name for scene in scenes])
    for scene in scenes:
        segment = read_truth(scene, table)
        store.write(scene.name, segment, np.ones(len(segment)))
    store.finish()


# Kind: what does it, and its output in the job's folder.
KINDS = {
    "train": (train, last_checkpoint(Path("run"))),
    "export": (export, f"labels/{STORE_FILE}"),
    "predict": (predict, "miou.json"),
    "regions": (partition, f"data/{TAGS_FILE}"),
    "truth": (truth, f"labels/{STORE_FILE}"),
}
