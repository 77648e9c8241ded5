"""`wsegpc train-scans`: stage one on your own scans, from tags to pseudo-labels."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import click

from ..contracts.classes import CLASSES_FILE, ClassTable
from ..contracts.scene import MANIFEST, scene_dirs, scenes_by_key
from ..contracts.tag_doubts import contrast
from ..contracts.tags import TAGS_FILE, read_scene_tags
from ..files import read_json
from ..jobs.process import interrupt_at_sigterm, num_cores, run
from ..jobs.steps import Steps, continued_seed, exclusive, last_checkpoint
from .arguments import COUNT, PATH, data_root, subcommand
from .output import claim
from .trainings import option_pairs, option_value, run_training, wsegpc

CONFIGS = "scans"  # folder of the configs
CMG, RPC = "wsegpc-cmg", "wsegpc-cmg-rpc"
DATA_ROOT = "WSEGPC_DATA_ROOT"  # environment variable that the configs read

EXAMPLES = "wsegpc train-scans data/scans --out exp/scans"


@subcommand("train-scans", EXAMPLES)
@data_root
@click.option("--out", type=PATH, default="exp/scans", help="Folder of the results.")
@click.option("--seed", default=1463, help="Seed of the first training.")
@click.option("--workers", type=COUNT, help="Processes for regions; default: one per core.")
@click.option("--options", multiple=True, metavar="KEY=VALUE …", help="Overrides of both configs.")
def command(data_root, out, seed, workers, options):
    """Run stage one on your own prepared scans: regions, CMG, then CMG + RPC.

    Run it again to continue where it stopped; what is finished is reused. Pseudo-labels end in
    OUT/wsegpc-cmg-rpc/pseudo_labels; `wsegpc export-ply` makes them visible. One process: for
    several GPUs, train the same configs with Pointcept's launcher.
    """
    interrupt_at_sigterm()
    run_all(data_root, out, seed, workers or num_cores(), options)


def name_doubts(root: Path, scenes: Sequence[Path]) -> None:
    """Print which classes cannot be learned from the tags of the training scenes."""
    table = ClassTable.read(root)
    tags = read_scene_tags(root / TAGS_FILE, table)
    training = {key: tags[key] for key in scenes_by_key(scenes, root) if tags.get(key)}
    for doubt in contrast(training, table.names, table.structural):
        click.echo(f"warning: {doubt.found}; {doubt.fix}")


def run_all(root: Path, out: Path, seed: int, workers: int, options: Sequence[str] = ()) -> None:
    """Regions and both trainings of the scenes in `root`, into `out`."""
    for path in (root, out):
        option_value(path)
    scenes = scene_dirs(root, "train")
    name_doubts(root, scenes)
    logs = ["steps.json", "regions.log", f"{CMG}.log", f"{RPC}.log"]
    claim(out, "train-scans", [CMG, RPC, *logs])
    with exclusive(out / ".lock") as lock:
        steps = Steps(out / "steps.json", 3, click.echo)
        regions = [*wsegpc("regions", workers=workers), str(root)]
        steps.run(
            "partition into regions",
            [(scene.name, read_json(scene / MANIFEST, "prepare it again")) for scene in scenes],
            root / "train",
            lambda _: run(regions, out / "regions.log", 1, keep_open=(lock,)),
        )
        start = functools.partial(run, threads=num_cores(), keep_open=(lock,))
        read = [(root / name).read_text(encoding="utf-8") for name in (TAGS_FILE, CLASSES_FILE)]
        first = {"seed": seed}
        second = {"seed": continued_seed(seed), "weight": last_checkpoint(out / CMG)}
        for name, own in ((CMG, first), (RPC, second)):
            pairs, config = [*options, *option_pairs(own)], f"{CONFIGS}/{name}"
            where = {DATA_ROOT: str(root)}
            run_training(steps, start, f"train {name}", config, out / name, pairs, read, **where)
        click.echo(f"pseudo-labels: {out / RPC / 'pseudo_labels'}")
