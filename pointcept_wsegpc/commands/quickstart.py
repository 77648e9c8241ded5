"""`wsegpc quickstart`: the main job on synthetic scans, from raw scans to a trained network."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click

from .. import host
from ..jobs.process import interrupt_at_sigterm, num_cores, run
from ..jobs.steps import Steps, continued_seed, exclusive, last_checkpoint
from . import configs
from . import quickstart_report as report
from .arguments import PATH, subcommand
from .output import claim
from .trainings import (
    export_labels,
    option_pairs,
    option_value,
    predict_labels,
    relative,
    run_training,
    wsegpc,
)

CONFIGS = "quickstart"  # folder of the configs
CAM, CMG, RPC, STAGE_TWO = "wsegpc-cam", "wsegpc-cmg", "wsegpc-cmg-rpc", "stage2-minkunet"

EXAMPLES = """
tools/quickstart.sh                       # makes .venv and runs this
wsegpc quickstart --with-baseline         # also trains on the tags alone, equally long
wsegpc quickstart --seed 1                # into exp/quickstart-seed1
"""


@dataclass(frozen=True)
class Plan:
    """Sizes, places and the command of each step. Sizes are WxH pixels.

    `overrides` are configuration keys that every training gets.
    """

    raw: Path = Path("data/synthetic_raw")
    data: Path = Path("data/synthetic")
    out: Path = Path("exp/quickstart")
    seed: int = 0  # of the trainings; the scans are always the same
    baseline: bool = False
    train_scenes: int = 24
    val_scenes: int = 8
    points: int = 30_000
    frames: int = 40
    color_size: str = "216x162"
    depth_size: str = "160x120"
    stride: int = 2
    view_size: str = "64x48"
    overrides: dict = field(default_factory=dict)

    def folder(self, name: str) -> Path:
        """Experiment folder of a configuration."""
        return self.out / name

    def checkpoint(self, name: str) -> Path:
        return last_checkpoint(self.folder(name))

    def pseudo_labels(self, name: str) -> Path:
        return self.folder(name) / "pseudo_labels"

    @property
    def figures(self) -> Path:
        return self.out / "figures"

    def make_scans(self) -> list[str]:
        counts = {"num_train": self.train_scenes, "num_val": self.val_scenes, "frames": self.frames}
        sizes = {"color_size": self.color_size, "depth_size": self.depth_size}
        return wsegpc("synthesize", out=relative(self.raw), points=self.points, **counts, **sizes)

    def prepare(self) -> list[str]:
        places = ["--raw", relative(self.raw), "--out", relative(self.data)]
        sizes = ["--stride", str(self.stride), "--size", self.view_size]
        return [*wsegpc("prepare"), "scannet", *places, *sizes, "--split", "train", "val"]

    def options(self, **options) -> list[str]:
        """KEY=VALUE of a training."""
        roots = dict.fromkeys(("data.train.data_root", "data.val.data_root"), self.data)
        return option_pairs({**roots, "seed": self.seed, **self.overrides, **options})

    def config(self, name: str):
        """The configuration that a training starts from, as its file says it."""
        from pointcept.utils.config import Config

        path = configs.find_config(f"{CONFIGS}/{name}")
        cfg = Config.fromfile(str(path), import_custom_modules=False)
        cfg.merge_from_dict(self.overrides)
        return cfg

    def baseline_length(self) -> dict[str, int]:
        """Epochs of the tags-only baseline: as many as both parts of stage one together."""
        parts = [self.config(name) for name in (CMG, RPC)]
        epoch = sum(cfg.epoch for cfg in parts)
        return {"epoch": epoch, "eval_epoch": math.gcd(epoch, sum(c.eval_epoch for c in parts))}


@subcommand("quickstart", EXAMPLES)
@click.option("--seed", default=0, help="Of the trainings.")
@click.option("--with-baseline", is_flag=True, help="Also train on the tags alone, equally long.")
@click.option("--out", type=PATH, help="Folder of the results; default exp/quickstart[-seedN].")
def command(seed, with_baseline, out):
    """Run the whole path on synthetic rooms: raw scans and tags in, a trained network out.

    Scans and prepared scenes go to data/ in the current folder. Run it again to continue where it
    stopped; what is finished is reused.
    """
    interrupt_at_sigterm()
    run_plan(make_plan(seed, with_baseline, out))


def make_plan(seed: int = 0, baseline: bool = False, out: Path | None = None) -> Plan:
    out = out or Plan.out.with_name("quickstart" + (f"-seed{seed}" if seed else ""))
    return Plan(seed=seed, baseline=baseline, out=out)


def run_plan(plan: Plan, say: Callable[[str], None] = click.echo) -> None:
    """Run all steps of the main job, then report."""
    for path in (plan.data, plan.out):
        option_value(relative(path))
    host.ensure_pointcept(quiet=True)
    trainings = (CMG, RPC, STAGE_TWO, CAM)
    logs = ("synthesize", "prepare", "regions", "export-labels", "predict", *trainings)
    written = ("steps.json", "figures", "stage1-val", "stage2-train", "stage2-val", *trainings)
    claim(plan.out, "quickstart", [*written, *(f"{name}.log" for name in logs)])
    with exclusive(plan.out / ".lock") as lock:
        steps = Steps(plan.out / "steps.json", 8 if plan.baseline else 7, say)
        child = functools.partial(run_child, plan, steps, lock)
        with exclusive(plan.data.with_name(f".{plan.data.name}.lock"), patience=600):  # other seeds
            child("make scans in ScanNet's raw format", plan.make_scans(), plan.raw)
            child("prepare points, views, labels, tags", plan.prepare(), plan.data)
            regions = [*wsegpc("regions"), relative(plan.data)]
            child("partition into regions", regions, plan.data)
        step = functools.partial(train, plan, steps, lock)
        step("train stage one: CMG", CMG)
        first = {"weight": plan.checkpoint(CMG), "seed": continued_seed(plan.seed)}
        step("train stage one: CMG + RPC, export labels", RPC, **first)
        store = plan.pseudo_labels(RPC)
        step("train stage two on the labels", STAGE_TWO, **{"data.train.store": store})
        draw = functools.partial(label_and_draw, plan, lock)
        steps.run("label all scenes, draw figures", plan.figures.name, plan.figures, draw)
        if plan.baseline:
            step("train the baseline: CAM, export labels", CAM, **plan.baseline_length())
        for line in closing_report(plan, steps):
            say(line)


def run_child(
    plan: Plan, steps: Steps, lock: int, name: str, command: list[str], output: Path
) -> None:
    """A step that is one command over all scenes, which goes on by itself if interrupted."""
    arguments = command[3:]  # what follows `python -m pointcept_wsegpc`
    log = plan.out / f"{arguments[0]}.log"
    parallel = [*command, "--workers", str(num_cores())]  # does not affect the result
    steps.run(name, arguments, output, lambda _: run(parallel, log, 1, keep_open=(lock,)))


def train(plan: Plan, steps: Steps, lock: int, title: str, name: str, **options) -> None:
    """A step that trains a config; options are configuration keys."""
    config, pairs = f"{CONFIGS}/{name}", plan.options(**options)
    settings = plan.config(name).to_dict()
    run_training(steps, lock, title, config, plan.folder(name), pairs, settings)


def label_and_draw(plan: Plan, lock: int, resume: bool) -> None:
    export = export_labels(plan.folder(RPC), "val", plan.out / "stage1-val")
    run(export, plan.out / "export-labels.log", num_cores(), keep_open=(lock,))
    for split in ("train", "val"):
        predict = predict_labels(plan.folder(STAGE_TWO), split, plan.out / f"stage2-{split}")
        run(predict, plan.out / "predict.log", num_cores(), keep_open=(lock,))
    columns = {
        "train": {"pseudo-labels": plan.pseudo_labels(RPC), "stage two": plan.out / "stage2-train"},
        "val": {
            "stage one, no tags": plan.out / "stage1-val",
            "stage two": plan.out / "stage2-val",
        },
    }
    for split, labels in columns.items():
        report.draw_figures(plan.data, split, labels, plan.figures, with_tags=split == "train")


def closing_report(plan: Plan, steps: Steps) -> list[str]:
    stores = {"CMG": plan.pseudo_labels(CMG), "CMG + RPC": plan.pseudo_labels(RPC)}
    if plan.baseline:
        stores["CAM, equally long"] = plan.pseudo_labels(CAM)
    unseen = {"stage two": plan.out / "stage2-val", "stage one": plan.out / "stage1-val"}
    places = {
        "raw scans": plan.raw,
        "prepared scenes, regions, tags": plan.data,
        "pseudo-labels": plan.pseudo_labels(RPC),
        "stage-one checkpoint": plan.checkpoint(RPC),
        "stage-two checkpoint": plan.checkpoint(STAGE_TWO),
        "stage-two predictions": plan.out / "stage2-val",
        "logs": plan.out,
        "figures, one per two scenes": plan.figures,
    }
    seconds = steps.seconds()
    return [
        "",
        "mIoU and coverage in %; the mean is over the classes that occur",
        *report.pseudo_label_table(stores),
        *report.table(
            f"Labels of {plan.val_scenes} validation scenes, no tags",
            ["3D"],
            {title: [100 * report.store_miou(store)] for title, store in unseen.items()},
        ),
        *report.table(
            "Minutes",
            [],
            {k: [v / 60] for k, v in {**seconds, "together": sum(seconds.values())}.items()},
        ),
        f"Engine: {host.ensure_pointcept(quiet=True)}; seed {plan.seed}; {num_cores()} cores",
        "Written",
        *(f"  {title:<{report.WIDTH - 2}}  {path.absolute()}" for title, path in places.items()),
    ]
