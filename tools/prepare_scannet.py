#!/usr/bin/env python3
"""Prepare raw ScanNet captures: points, posed views, labels, scene tags.

    tools/prepare_scannet.py --raw RAW --out ROOT --workers 8
    tools/prepare_scannet.py --raw RAW --out ROOT --pointcept data/scannet   # points as they are

Finished scenes are skipped, so an interrupted run is continued by the same command. On several
machines, give each its own --shard.
"""

import argparse
import functools
import sys
from collections import Counter
from pathlib import Path

from argument_types import positive, size
from pointcept_wsegpc.captures.scannet.classes import TABLE
from pointcept_wsegpc.captures.scannet.raw import SPLITS, estimate_bytes, find_captures
from pointcept_wsegpc.captures.scannet.scene import Settings, prepare_scene
from pointcept_wsegpc.files import read_json
from pointcept_wsegpc.jobs.scenes import add_job_arguments
from preparing import check_space_for, derive_scene_tags, prepare_all


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--raw", required=True, help="folder with scans/ and the split lists")
    parser.add_argument("--out", required=True, help="data root to write; outside the raw data")
    parser.add_argument("--pointcept", help="folder preprocessed by Pointcept, to be hard-linked")
    parser.add_argument("--splits", nargs="+", default=list(SPLITS), help="default: all")
    parser.add_argument("--stride", type=positive, default=20, help="frames (default 20)")
    parser.add_argument("--size", type=size, default=(240, 320), metavar="WxH", help="320x240")
    parser.add_argument(
        "--min-tag-points", type=positive, default=1, help="points that make a tag (default 1)"
    )
    add_job_arguments(parser)
    return parser.parse_args()


def report(outcome, jobs, root):
    """Print what this shard holds now, whichever run prepared it, and complete the tags file."""
    print(outcome.summary())
    kept, bad, unlabelled = 0, Counter(), 0
    for name in sorted([*outcome.done, *outcome.skipped]):
        manifest = read_json(jobs[name].target / "manifest.json")
        frames = manifest["frames"]
        kept, unlabelled = kept + manifest["num_views"], unlabelled + len(manifest["unlabelled"])
        bad.update({reason: len(found) for reason, found in frames["bad"].items()})
        if frames["truncated"]:
            print(f"  {name} is truncated: {frames['truncated']} are there")
    print(
        f"{kept} frames kept" + "".join(f", {n} left out: {why}" for why, n in sorted(bad.items()))
    )
    if unlabelled:
        print(f"{unlabelled} frames have no readable image in label-filt; stored without labels")
    derive_scene_tags(root, "scenes")
    print(f"prepared data: {root}")


def main():
    args = parse_arguments()
    root = Path(args.out).expanduser().resolve()
    settings = Settings(
        stride=args.stride,
        height=args.size[0],
        width=args.size[1],
        min_tag_points=args.min_tag_points,
        points="pointcept" if args.pointcept else "mesh",
    )
    captures, absent = find_captures(args.raw, root, args.splits, args.pointcept)
    if absent:
        print(f"{len(absent)} listed scenes have no folder: {' '.join(absent[:5])} …")
    jobs = {f"{capture.split}/{capture.name}": capture for capture in captures}
    estimate = functools.partial(estimate_bytes, stride=settings.stride, size=settings.size)
    remedy = "--splits, --stride or --size"
    check_space_for(jobs, settings, args, root, estimate, "scenes", remedy)
    TABLE.write(root)
    outcome = prepare_all(prepare_scene, jobs, settings, args)
    report(outcome, jobs, root)
    return outcome.exit_status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        sys.exit(f"prepare_scannet: {error}")
    except KeyboardInterrupt:
        sys.exit("prepare_scannet: interrupted; the same command goes on")
