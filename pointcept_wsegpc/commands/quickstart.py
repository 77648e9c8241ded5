"""`wsegpc quickstart`: the main job on synthetic scans, from raw scans to trained networks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click

from .. import host
from ..jobs.process import interrupt_at_sigterm, num_cores, run, run_together
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
STAGE_TWO = "stage2-minkunet"
ROOMS = 4  # of a split, in its figure

EXAMPLES = """
tools/quickstart.sh                       # makes .venv and runs this
wsegpc quickstart --seed 1                # into exp/quickstart-seed1
wsegpc quickstart --method-only           # without the baseline
"""


@dataclass(frozen=True)
class Arm:
    """Stage one in two parts, the second from the weights of the first, and stage two after it."""

    name: str
    folder: Path
    first: str
    second: str

    def training(self, config: str) -> Path:
        """Experiment folder of a config."""
        return self.folder / config

    @property
    def pseudo_labels(self) -> Path:
        return self.training(self.second) / "pseudo_labels"

    def labels(self, stage: int, split: str) -> Path:
        """Store of what a stage says of a split; stage one has no tags there."""
        return self.folder / f"stage{stage}-{split}"


@dataclass(frozen=True)
class Plan:
    """Sizes, places and the command of each step.

    scans: options of `wsegpc synthesize`. view_size: WxH pixels. overrides: configuration keys that
    every training gets.
    """

    raw: Path = Path("data/quickstart_raw")
    data: Path = Path("data/quickstart")
    out: Path = Path("exp/quickstart")
    seed: int = 0  # of the trainings; the scans are always the same
    method_only: bool = False
    train_scenes: int = 64
    val_scenes: int = 16
    scans: dict = field(default_factory=lambda: {"edition": "small"})
    view_size: str = "64x48"
    overrides: dict = field(default_factory=dict)

    @property
    def arms(self) -> list[Arm]:
        """What is compared, the method last."""
        baseline = Arm("baseline", self.out / "baseline", "wsegpc-cam", "wsegpc-cam-continued")
        method = Arm("method", self.out / "method", "wsegpc-cmg", "wsegpc-cmg-rpc")
        return [method] if self.method_only else [baseline, method]

    @property
    def figures(self) -> Path:
        return self.out / "figures"

    def make_scans(self) -> list[str]:
        counts = {"num_train": self.train_scenes, "num_val": self.val_scenes}
        return wsegpc("synthesize", out=relative(self.raw), **counts, **self.scans)

    def prepare(self) -> list[str]:
        places = ["--raw", relative(self.raw), "--out", relative(self.data)]
        sizes = ["--stride", "1", "--size", self.view_size]
        return [*wsegpc("prepare"), "scannet", *places, *sizes, "--split", "train", "val"]

    def options(self, **options) -> list[str]:
        """KEY=VALUE of a training."""
        roots = dict.fromkeys(("data.train.data_root", "data.val.data_root"), self.data)
        own = {"seed": self.seed, "evaluate": False}  # the report says how good the labels are
        return option_pairs({**roots, **own, **self.overrides, **options})

    def config(self, name: str):
        """The configuration that a training starts from, as its file says it."""
        from pointcept.utils.config import Config

        path = configs.find_config(f"{CONFIGS}/{name}")
        cfg = Config.fromfile(str(path), import_custom_modules=False)
        cfg.merge_from_dict(self.overrides)
        return cfg


@subcommand("quickstart", EXAMPLES)
@click.option("--seed", default=0, help="Of the trainings.")
@click.option("--method-only", is_flag=True, help="Without the baseline beside it.")
@click.option("--out", type=PATH, help="Folder of the results; default exp/quickstart[-seedN].")
def command(seed, method_only, out):
    """Run the whole path on synthetic rooms: raw scans and tags in, trained networks out.

    The method is trained beside a baseline that has the tags alone, each on one core and equally
    long. Scans and prepared scenes go to data/ in the current folder. Run it again to continue
    where it stopped; what is finished is reused.
    """
    interrupt_at_sigterm()
    run_plan(make_plan(seed, method_only, out))


def make_plan(seed: int = 0, method_only: bool = False, out: Path | None = None) -> Plan:
    out = out or Plan.out.with_name("quickstart" + (f"-seed{seed}" if seed else ""))
    return Plan(seed=seed, method_only=method_only, out=out)


def run_plan(plan: Plan, say: Callable[[str], None] = click.echo) -> None:
    """Run all steps of the main job, then report."""
    for path in (plan.data, plan.out):
        option_value(relative(path))
    host.ensure_pointcept(quiet=True)
    logs = [f"{name}.log" for name in ("synthesize", "prepare", "regions")]
    written = [*(arm.name for arm in plan.arms), "figures", "steps.json", *logs]
    claim(plan.out, "quickstart", written)
    with exclusive(plan.out / ".lock") as lock:
        steps = Steps(plan.out / "steps.json", 4, say)
        child = functools.partial(run_child, plan, steps, lock)
        with exclusive(plan.data.with_name(f".{plan.data.name}.lock"), patience=600):  # other seeds
            child("make scans in ScanNet's raw format", plan.make_scans(), plan.raw)
            child("prepare points, views, labels, tags", plan.prepare(), plan.data)
            regions = [*wsegpc("regions"), relative(plan.data)]
            child("partition into regions", regions, plan.data)
        branches = {arm: steps.branch(arm.folder / "steps.json", 4) for arm in plan.arms}
        run_together(
            {
                arm.name: functools.partial(run_arm, plan, arm, branch, lock)
                for arm, branch in branches.items()
            }
        )
        keys = [branch.key for branch in branches.values()]
        steps.run("draw figures", keys, plan.figures, lambda _: draw(plan))
        minutes = {arm.name: branch.seconds() for arm, branch in branches.items()}
        for line in report.closing(plan, steps.seconds(), minutes):
            say(line)


def run_child(
    plan: Plan, steps: Steps, lock: int, name: str, command: list[str], output: Path
) -> None:
    """A step that is one command over all scenes, which goes on by itself if interrupted."""
    arguments = command[3:]  # what follows `python -m pointcept_wsegpc`
    log = plan.out / f"{arguments[0]}.log"
    parallel = [*command, "--workers", str(num_cores())]  # does not affect the result
    steps.run(name, arguments, output, lambda _: run(parallel, log, 1, keep_open=(lock,)))


def run_arm(plan: Plan, arm: Arm, steps: Steps, lock: int, run: Callable[..., None]) -> None:
    """Train both stages of an arm, on one thread, and label the scenes with them."""
    start = functools.partial(run, threads=1, keep_open=(lock,))
    step = functools.partial(train, plan, arm, steps, start)
    step("stage one, first part", arm.first)
    weight = last_checkpoint(arm.training(arm.first))
    second = {"weight": weight, "seed": continued_seed(plan.seed)}
    step("stage one, second part, labels", arm.second, **second)
    step("stage two on the labels", STAGE_TWO, **{"data.train.store": arm.pseudo_labels})
    steps.run(
        f"{arm.name}: label all scenes",
        "",
        arm.labels(2, "val"),
        lambda _: label_scenes(arm, start),
    )


def train(plan: Plan, arm: Arm, steps: Steps, run, title: str, name: str, **options) -> None:
    """A step that trains a config; options are configuration keys."""
    config, pairs = f"{CONFIGS}/{name}", plan.options(**options)
    settings, title = plan.config(name).to_dict(), f"{arm.name}: {title}"
    run_training(steps, run, title, config, arm.training(name), pairs, settings)


def label_scenes(arm: Arm, run: Callable[..., None]) -> None:
    """Labels of unseen scenes by both stages, and of the training scenes by stage two."""
    commands = [export_labels(arm.training(arm.second), "val", arm.labels(1, "val"))]
    for split in ("train", "val"):
        commands.append(predict_labels(arm.training(STAGE_TWO), split, arm.labels(2, split)))
    for command in commands:
        run(command, arm.folder / "label.log")


def draw(plan: Plan) -> None:
    """A figure per split: ground truth, the labels of each arm, and of the stage two on them."""
    for split in ("train", "val"):
        first = {
            arm.name: arm.pseudo_labels if split == "train" else arm.labels(1, split)
            for arm in plan.arms
        }
        second = {f"{arm.name}, stage two": arm.labels(2, split) for arm in plan.arms}
        file = plan.figures / f"{split}.png"
        report.draw_figure(plan.data, split, {**first, **second}, file, ROOMS)
