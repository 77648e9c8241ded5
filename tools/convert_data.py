#!/usr/bin/env python3
"""Convert data that others prepared into a data root, or pseudo-labels into a store.

    tools/convert_data.py wsegpc    SRC --out ROOT --workers 8   # the official WSegPC folders
    tools/convert_data.py openscene SRC --out ROOT               # BPNet, OpenScene: scannet_2d, _3d
    tools/convert_data.py concerto  SRC --out ROOT               # Pointcept's images/
    tools/convert_data.py pseudo-labels DIR --data ROOT --out STORE

Nothing is written beside the source. Finished scenes are skipped, so an interrupted run is
continued by the same command. The layouts are described in docs/data.md.
"""

import argparse
import functools
import sys
from collections import Counter
from pathlib import Path

from argument_types import positive, size
from pointcept_wsegpc.captures.converted.layouts import (
    FORMATS,
    SPLITS,
    estimate_bytes,
    find_captures,
)
from pointcept_wsegpc.captures.converted.scene import Settings, convert_scene
from pointcept_wsegpc.captures.scannet.classes import TABLE
from pointcept_wsegpc.commands.errors import end_in_one_line
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.scene import scene_dirs
from pointcept_wsegpc.files import read_json
from pointcept_wsegpc.jobs.scenes import add_job_arguments
from pointcept_wsegpc.labels.official import convert_pseudo_labels
from preparing import check_space_for, derive_scene_tags, prepare_all

EVERY = {"wsegpc": 20, "openscene": 20, "concerto": 1}


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    formats = parser.add_subparsers(dest="format", required=True, metavar="FORMAT")
    for name in FORMATS:
        add_scene_arguments(formats.add_parser(name), EVERY[name])
    labels = formats.add_parser("pseudo-labels")
    labels.add_argument("source", help="folder of SCENE.npz files")
    labels.add_argument("--data", required=True, help="data root with the converted scenes")
    labels.add_argument("--out", required=True, help="store to write")
    labels.add_argument("--split", nargs="+", default=["train"], help="default: train")
    labels.add_argument("--key", default="pred_label", help="array in the files")
    return parser.parse_args()


def add_scene_arguments(parser, every):
    parser.add_argument("source", help="folder in this layout")
    parser.add_argument("--out", required=True, help="data root to write; outside the source")
    parser.add_argument("--points", help="folder of the points, if not in its usual place")
    parser.add_argument("--images", help="folder of the images, if not in its usual place")
    parser.add_argument("--regions", help="folder of SCENE_superpoint.npz, likewise")
    parser.add_argument("--no-regions", action="store_true", help="leave the layout's regions out")
    parser.add_argument("--splits", nargs="+", default=list(SPLITS), help="default: all")
    parser.add_argument(
        "--every", type=positive, default=every,
        help=f"take frames whose number is a multiple; concerto: every n-th (default {every})",
    )  # fmt: skip
    parser.add_argument("--size", type=size, default=(240, 320), metavar="WxH", help="320x240")
    parser.add_argument(
        "--min-tag-points", type=positive, default=1, help="points that make a tag (default 1)"
    )
    parser.add_argument(
        "--depth-scale", type=positive, default=1000,
        help="values of depth images in a metre (default 1000; Matterport3D 4000)",
    )  # fmt: skip
    add_job_arguments(parser)


def report(outcome, jobs, root):
    """Print what this shard holds now, whichever run converted it, and complete the tags file."""
    print(outcome.summary())
    kept, bad, cameras, flat, estimated, bare = 0, Counter(), Counter(), [], 0, 0
    for name in sorted([*outcome.done, *outcome.skipped]):
        manifest = read_json(jobs[name].target / "manifest.json")
        kept += manifest["num_views"]
        bad.update({why: len(frames) for why, frames in manifest["frames"]["bad"].items()})
        cameras[manifest["intrinsics"]] += 1
        estimated += manifest["normals"] == "estimated"
        bare += not (manifest["regions"]["points"] and manifest["regions"]["views"])
        flat += [name] * (not manifest["num_views"])
    left_out = "".join(f", {count} left out: {why}" for why, count in sorted(bad.items()))
    print(f"{kept} frames kept{left_out}")
    if cameras["nominal"]:
        print(f"{cameras['nominal']} scenes have no intrinsics of their own: nominal ones are used")
    if estimated:
        print(f"normals of {estimated} scenes are estimates")
    if flat:
        print(f"{len(flat)} scenes have no view, so 3D alone: {' '.join(flat[:5])}")
    derive_scene_tags(root, "scenes")
    if bare:
        print(f"{bare} scenes lack regions: run tools/extract_regions.py {root}")
    print(f"converted data: {root}; check it with tools/check_data.py {root}")


def convert(args):
    root = Path(args.out).expanduser().resolve()
    settings = Settings(
        args.every, *args.size, args.min_tag_points, not args.no_regions, args.depth_scale
    )
    captures = find_captures(
        args.source, root, args.format, args.splits, args.points, args.images, args.regions
    )
    jobs = {f"{capture.split}/{capture.name}": capture for capture in captures}
    estimate = functools.partial(estimate_bytes, size=settings.size)
    check_space_for(jobs, settings, args, root, estimate, "scenes", "--splits or --size")
    TABLE.write(root)
    outcome = prepare_all(convert_scene, jobs, settings, args)
    report(outcome, jobs, root)
    return outcome.exit_status


def convert_labels(args):
    from tqdm import tqdm

    scenes = {path.name: path for path in scene_dirs(args.data, args.split)}
    table = ClassTable.read(args.data)
    with tqdm(total=len(scenes), desc="convert", unit="scene") as bar:
        manifest = convert_pseudo_labels(
            args.source, args.out, table, scenes, args.key, lambda _: bar.update()
        )
    print(f"{len(manifest['scenes'])} scenes, {manifest['coverage']:.1%} of their points labelled")
    for value in manifest["quality"].get("miou", {}).values():
        print(f"mIoU of the points against the labels of the scenes: {100 * value:.1f} %")
    print(f"pseudo-labels: {Path(args.out).expanduser().resolve()}")
    return 0


if __name__ == "__main__":
    try:
        with end_in_one_line("convert_data"):
            arguments = parse_arguments()
            run = convert_labels if arguments.format == "pseudo-labels" else convert
            sys.exit(run(arguments))
    except KeyboardInterrupt:
        sys.exit("convert_data: interrupted; the same command goes on")
