#!/usr/bin/env python3
"""Stage one on your own prepared scans, from tags to pseudo-labels: regions, CMG, then CMG + RPC.

    tools/train_folder.py data/scans --out exp/scans

Run it again to continue where it stopped; what is finished is reused. Pseudo-labels end in
OUT/wsegpc-cmg-rpc/pseudo_labels; tools/export_ply.py makes them visible. One process: for several
GPUs, train configs/scans with Pointcept's launcher.
"""

import argparse
import functools
import sys
from pathlib import Path

from argument_types import positive
from main_job.plan import REPOSITORY, option_value, tool
from pointcept_wsegpc.contracts.classes import CLASSES_FILE
from pointcept_wsegpc.contracts.scene import scene_dirs
from pointcept_wsegpc.contracts.tags import TAGS_FILE
from pointcept_wsegpc.files import read_json
from pointcept_wsegpc.jobs.process import StepFailed, interrupt_at_sigterm, num_cores, run
from pointcept_wsegpc.jobs.steps import (
    Steps,
    continued_seed,
    exclusive,
    last_checkpoint,
    resume_options,
)

CMG, RPC = "wsegpc-cmg", "wsegpc-cmg-rpc"


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="data root that tools/prepare_folder.py wrote")
    parser.add_argument("--out", type=Path, default=Path("exp/scans"), help="default exp/scans")
    parser.add_argument("--seed", type=int, default=1463, help="of the first training")
    parser.add_argument("--workers", type=positive, default=num_cores(), help="of the regions")
    parser.add_argument(
        "--options", nargs="+", default=[], metavar="KEY=VALUE", help="of both trainings' configs"
    )
    args = parser.parse_args()
    args.root, args.out = (path.expanduser().resolve() for path in (args.root, args.out))
    return args


def train(args, steps, lock, name, **options):
    """A step that trains configs/scans/<name>.py into its folder; it resumes."""
    folder = args.out / name
    options = {"save_path": folder, **options}
    given = [*args.options, *(f"{key}={value}" for key, value in options.items())]

    def action(resume):
        more = [f"{key}={value}" for key, value in resume_options(folder, resume).items()]
        command = [*tool("train", config_file=f"configs/scans/{name}.py"), "--options"]
        run(
            [*command, *given, *more],
            args.out / f"{name}.log",
            num_cores(),
            keep_open=(lock,),
            cwd=REPOSITORY,
            WSEGPC_DATA_ROOT=str(args.root),
        )

    tags = (args.root / TAGS_FILE).read_text(encoding="utf-8")
    classes = (args.root / CLASSES_FILE).read_text(encoding="utf-8")
    steps.run(f"train {name}", (given, tags, classes), last_checkpoint(folder), action)


def run_all(args, say=print):
    for path in (args.root, args.out):
        option_value(path)
    scenes = scene_dirs(args.root, "train")
    with exclusive(args.out / ".lock") as lock:
        steps = Steps(args.out / "steps.json", 3, say)
        regions = [*tool("extract_regions", workers=args.workers), str(args.root)]
        steps.run(
            "partition into regions",
            [(scene.name, read_json(scene / "manifest.json")) for scene in scenes],
            args.root / "train",
            lambda _: run(regions, args.out / "regions.log", 1, keep_open=(lock,), cwd=REPOSITORY),
        )
        train(args, steps, lock, CMG, seed=args.seed)
        first, seed = last_checkpoint(args.out / CMG), continued_seed(args.seed)
        train(args, steps, lock, RPC, seed=seed, weight=first)
        say(f"pseudo-labels: {args.out / RPC / 'pseudo_labels'}")


if __name__ == "__main__":
    interrupt_at_sigterm()
    try:
        run_all(parse_arguments(), functools.partial(print, flush=True))
    except (StepFailed, OSError, ValueError) as error:
        sys.exit(f"train_folder: {error}")
    except KeyboardInterrupt:
        sys.exit("train_folder: interrupted; the same command goes on")
