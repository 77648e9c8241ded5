#!/usr/bin/env python3
"""Prepare your own scans: a folder per scene with a cloud, posed images and hand-written tags.

    tools/prepare_folder.py --template my_scans          # an example to look at and to fill
    tools/prepare_folder.py --raw my_scans --out data/scans --workers 4

Clouds: .ply .pcd .npy .las .laz. Poses: ScanNet, TUM, Open3D, COLMAP, ARKitScenes, Nerfstudio.
Finished scenes are skipped, so an interrupted run is continued by the same command; tags are read
anew every time.
"""

import argparse
import functools
import sys
from collections import Counter
from pathlib import Path

from argument_types import positive, size
from pointcept_wsegpc.captures.folder.poses.detect import CONVENTIONS
from pointcept_wsegpc.captures.folder.raw import (
    changed_since,
    estimate_bytes,
    find_scans,
    follow_splits,
    left_behind,
)
from pointcept_wsegpc.captures.folder.scene import UP, Settings, prepare_scan
from pointcept_wsegpc.captures.folder.tags import read_own_tags
from pointcept_wsegpc.captures.folder.template import write_template
from pointcept_wsegpc.clouds.spacing import LIKELY_EXTENT
from pointcept_wsegpc.contracts.tags import TAGS_FILE, write_scene_tags
from pointcept_wsegpc.files import read_json
from pointcept_wsegpc.jobs.scenes import add_job_arguments
from preparing import check_space_for, prepare_all

LEAST_AGREEMENT = 0.2  # correlation of brightness between points and the pixels that see them
LISTED = 40  # notes that are printed
ALL_RETURN = "labels return to all"


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--raw", help="folder with a folder per scene and tags.csv or tags.json")
    parser.add_argument("--out", help="data root to write; outside the raw data")
    parser.add_argument("--template", metavar="DIR", help="write an example into DIR, and end")
    parser.add_argument("--stride", type=positive, default=1, help="images (default 1: all)")
    parser.add_argument("--size", type=size, default=(240, 320), metavar="WxH", help="320x240")
    parser.add_argument(
        "--spacing", type=length, default=0.02, metavar="M",
        help="of the prepared points in metres, 0: all (default 0.02); labels return to all points",
    )  # fmt: skip
    parser.add_argument(
        "--scale", type=length, default=1.0, help="metres in a unit of cloud and poses, 0.001: mm"
    )
    parser.add_argument("--up", choices=sorted(UP), default="z", help="the cloud's (default z)")
    parser.add_argument(
        "--depth-scale", type=length, default=0.0, metavar="N",
        help="values of depth images in a metre (default: 1000, of TUM 5000); floats are metres",
    )  # fmt: skip
    parser.add_argument("--poses", choices=("auto", *CONVENTIONS), default="auto")
    add_job_arguments(parser)
    args = parser.parse_args()
    if not args.template and not (args.raw and args.out):
        parser.error("give --raw and --out, or --template DIR")
    if args.scale == 0:
        parser.error("--scale 0: give the metres in a unit, such as 0.001")
    return args


def length(text):
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: give a number that is not negative")
    return value


def write_tags(root, captures, table, tags):
    """Write class table and tags of the data set, and print what they lack.

    Both are read anew every time; but a table by which scenes are labelled stays, or is refused.
    """
    labelled = any(root.glob("*/*/segment*.npy"))
    classes = table.write(root, replace=not labelled).names
    names = {capture.name for capture in captures}
    write_scene_tags(root / TAGS_FILE, {scene: tags[scene] for scene in tags if scene in names})
    print(f"{len(classes)} classes: {', '.join(classes)}")
    unused = [name for name in classes if not any(name in found for found in tags.values())]
    if unused:
        print(f"  {len(unused)} are the tag of no scene: {', '.join(unused)}")
    unknown = sorted(set(tags) - names)
    if unknown:
        print(f"  {len(unknown)} tagged scenes have no folder: {', '.join(unknown[:5])}")
    untagged = [c.name for c in captures if c.split == "train" and not tags.get(c.name)]
    if untagged:
        print(
            f"  {len(untagged)} training scenes have no tag: {', '.join(untagged[:5])}; stage one "
            "refuses them: add their tags, or list them in val.txt or test.txt"
        )


def report(outcome, jobs):
    """Print what this shard holds now, whichever run prepared it."""
    print(outcome.summary())
    kept, bad, flat, notes = 0, Counter(), [], []
    for name in sorted([*outcome.done, *outcome.skipped]):
        manifest = read_json(jobs[name].target / "manifest.json")
        kept += manifest["num_views"]
        bad.update({why: len(found) for why, found in manifest["frames"]["bad"].items()})
        if not manifest["num_views"]:
            flat.append(name)
        notes += [f"  {name}: {note}" for note in scene_notes(manifest)]
    changed = [name for name in outcome.skipped if changed_since(jobs[name])]
    if changed:
        print(
            f"{len(changed)} finished scenes have changed since: {', '.join(changed[:5])}; delete "
            "their prepared folders to prepare them again"
        )
    left_out = "".join(f", {n} with {why}" for why, n in sorted(bad.items()))
    print(f"{kept} images kept{f'; left out{left_out[1:]}' if bad else ''}")
    if bad:
        print("  manifest.json of each scene names them")
    if flat:
        print(f"{len(flat)} scenes have no images, kept for 3D alone: {', '.join(flat[:5])}")
    notes.sort(key=lambda note: note.endswith(ALL_RETURN))  # what is no fault comes last
    more = [f"  … and {len(notes) - LISTED} more"] if len(notes) > LISTED else []
    print("\n".join([*notes[:LISTED], *more]), end="\n" if notes else "")


def scene_notes(manifest):
    """What the owner of a scan should know."""
    if manifest["num_scanned"] > manifest["num_points"]:
        spacing = manifest["settings"]["spacing"]
        yield (
            f"{manifest['num_points']} of {manifest['num_scanned']} points, one in {spacing} m; "
            f"{ALL_RETURN}"
        )
    if not manifest["colored"]:
        yield "its cloud has no colours; grey is stored, and the 3D network sees shape alone"
    if not LIKELY_EXTENT[0] <= manifest["extent"] <= LIKELY_EXTENT[1]:
        yield f"it is {manifest['extent']:.4g} m long; where its unit is no metre, give --scale"
    rendered = manifest.get("rendered_depth") or {"views": ()}
    if count := len(rendered["views"]):
        yield (
            f"no depth image goes with {count} of {manifest['num_views']} images; their depth is "
            f"rendered from its {rendered['from']}"
        )
    fit = manifest["fit"] or {}
    if fit.get("depth_error") is not None:
        yield f"measured depth is {1000 * fit['depth_error']:.0f} mm off the cloud's"
    agreement = fit.get("color_agreement")
    if agreement is not None and agreement < LEAST_AGREEMENT:
        yield (
            f"colours of points and images hardly agree (correlation {agreement:.2f}); "
            "do the poses fit the cloud?"
        )


def main():
    args = parse_arguments()
    if args.template:
        print(f"template written; read {write_template(args.template)}")
        return 0
    root = Path(args.out).expanduser().resolve()
    table, tags = read_own_tags(Path(args.raw).expanduser().resolve())
    captures, absent = find_scans(args.raw, root)
    if absent:
        print(f"{len(absent)} listed scenes have no folder: {', '.join(absent[:5])}")
    if moved := follow_splits(captures):
        print(f"{len(moved)} prepared scenes moved to their new split: {', '.join(moved[:5])}")
    if gone := left_behind(captures):
        print(
            f"{len(gone)} prepared scenes have no folder any more: {', '.join(gone[:5])}; delete "
            f"them from {root}: without tags stage one refuses them"
        )
    write_tags(root, captures, table, tags)
    jobs = {f"{capture.split}/{capture.name}": capture for capture in captures}
    settings = Settings(
        stride=args.stride, height=args.size[0], width=args.size[1], spacing=args.spacing,
        scale=args.scale, up=args.up, depth_scale=args.depth_scale, poses=args.poses,
    )  # fmt: skip
    estimate = functools.partial(estimate_bytes, settings=settings)
    check_space_for(jobs, settings, args, root, estimate, "scenes", "--stride or --size")
    outcome = prepare_all(prepare_scan, jobs, settings, args)
    report(outcome, jobs)
    print(f"prepared data: {root}")
    return outcome.exit_status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        sys.exit(f"prepare_folder: {error}")
    except KeyboardInterrupt:
        sys.exit("prepare_folder: interrupted; the same command goes on")
