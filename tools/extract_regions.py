#!/usr/bin/env python3
"""Partition prepared scenes into regions: region.npy of the points, region images of the views.

    tools/extract_regions.py ROOT --workers 8
    tools/extract_regions.py ROOT --set max_angle=15 --view-set min_size=30 --force

Finished scenes are skipped, so an interrupted run is continued by the same command. On several
machines, give each its own --shard.
"""

import argparse
import ast
import functools
import sys
from pathlib import Path

import numpy as np

from pointcept_wsegpc.files import read_json
from pointcept_wsegpc.jobs import add_job_arguments, run_jobs
from pointcept_wsegpc.regions.scenes import (
    Settings,
    extract_regions,
    is_extracted,
    pooled_quality,
)
from pointcept_wsegpc.schema import scene_dirs

SPLITS = ("train", "val", "test")


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", help="data root of prepared scenes")
    parser.add_argument("--split", nargs="+", help="default: every split that is there")
    parser.add_argument("--method", default="growing", help="for the points (default growing)")
    for flag, target in (("--set", "the method"), ("--view-set", "the partition of views")):
        parser.add_argument(
            flag, nargs="+", type=setting, action="extend", default=[], metavar="KEY=VALUE",
            help=f"settings of {target}",
        )  # fmt: skip
    parser.add_argument(
        "--fill", action="store_true", help="give unassigned points the nearest region"
    )
    parser.add_argument("--force", action="store_true", help="also redo finished scenes")
    add_job_arguments(parser)
    return parser.parse_args()


def setting(text):
    """'max_angle=15' -> ('max_angle', 15); a value that is no Python literal stays a string."""
    key, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r}: expected KEY=VALUE, such as max_angle=15")
    try:
        return key, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return key, value


def table(records):
    """Rows of text about points and views: number, regions each, unassigned share, quality."""
    lines = [f"{'':8}{'number':>10}{'regions':>10}{'unassigned':>12}{'quality':>10}"]
    for kind, number in (("points", "scenes"), ("views", "views")):
        numbers = [record[kind] for record in records]
        total = sum(entry["views"] for entry in numbers) if kind == "views" else len(numbers)
        regions, unassigned = (
            np.mean([entry[key] for entry in numbers]) for key in ("regions", "unassigned")
        )
        lines.append(
            f"{kind:8}{total:>10}{regions:>10.1f}{unassigned:>12.1%}{pooled_quality(numbers):>10.3f}"
            f"  (per {number[:-1]})"
        )
    return "\n".join(lines)


def main():
    args = parse_arguments()
    settings = Settings(args.method, dict(args.set), dict(args.view_set), args.fill)
    root = Path(args.root).expanduser().resolve()
    splits = args.split or [s for s in SPLITS if (root / s).is_dir()] or list(SPLITS)
    jobs = {f"{path.parent.name}/{path.name}": path for path in scene_dirs(root, splits)}
    finished = functools.partial(is_extracted, settings=settings)
    outcome = run_jobs(
        functools.partial(extract_regions, settings=settings),
        jobs,
        workers=args.workers,
        shard=args.shard,
        is_done=None if args.force else finished,
        title="regions",
    )
    print(outcome.summary())
    names = [*outcome.done, *outcome.skipped]
    if names:
        print(table([read_json(jobs[name] / "regions.json") for name in names]))
    return outcome.exit_status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        sys.exit(f"extract_regions: {error}")
    except KeyboardInterrupt:
        sys.exit("extract_regions: interrupted; the same command goes on")
