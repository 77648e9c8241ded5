#!/usr/bin/env python3
"""Prepare S3DIS rooms with the images of 2D-3D-Semantics: points, posed views, labels, tags.

    tools/prepare_s3dis.py --points Stanford3dDataset_v1.2 --images 2D3DS --out ROOT --workers 8
    tools/prepare_s3dis.py --points data/s3dis --images 2D3DS --angles Stanford3dDataset_v1.2 \\
        --out ROOT      # the arrays of Pointcept's preprocessing as they are

Finished rooms are skipped, so an interrupted run is continued by the same command. On several
machines, give each its own --shard.
"""

import argparse
import functools
import sys
from collections import Counter
from pathlib import Path

from argument_types import positive
from pointcept_wsegpc.captures.s3dis.points import TABLE
from pointcept_wsegpc.captures.s3dis.raw import AREAS, estimate_bytes, find_rooms
from pointcept_wsegpc.captures.s3dis.scene import Settings, describe, prepare_room
from pointcept_wsegpc.files import read_json
from pointcept_wsegpc.jobs.scenes import add_job_arguments
from preparing import check_space_for, derive_scene_tags, prepare_all

ALIGNED = {"auto": None, "yes": True, "no": False}


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", required=True, help="S3DIS v1.2, or Pointcept's data/s3dis")
    parser.add_argument("--images", help="folder with area_1 … area_6; without it: 3D only")
    parser.add_argument("--out", required=True, help="data root to write; outside the raw data")
    parser.add_argument(
        "--angles", help="folder with Area_x/Area_x_alignmentAngle.txt (default: that of --points)"
    )
    parser.add_argument(
        "--aligned", choices=ALIGNED, default="auto",
        help="were the points turned along the walls? (default: found out from the images)",
    )  # fmt: skip
    parser.add_argument("--areas", nargs="+", default=list(AREAS), help="default: all six")
    parser.add_argument("--size", type=positive, default=256, help="of a square view (default 256)")
    parser.add_argument(
        "--max-views", type=positive, default=100,
        help="views of a room, those that see most of its points (default 100)",
    )  # fmt: skip
    parser.add_argument(
        "--min-tag-points", type=positive, default=1, help="points that make a tag (default 1)"
    )
    add_job_arguments(parser)
    return parser.parse_args()


def report(outcome, jobs, root):
    """Print what this shard holds now, room by room, and complete the tags file."""
    bad, without_views, placed = Counter(), [], Counter()
    for name in sorted([*outcome.done, *outcome.skipped]):
        manifest = read_json(jobs[name].target / "manifest.json")
        bad.update({why: len(frames) for why, frames in manifest["frames"]["bad"].items()})
        print(f"  {name}: {room_line(manifest)}")
        for file, line, wrong, right in manifest.get("repairs", ()):
            print(f"    {file}:{line}: byte {wrong} read as {right!r}; the file is as it was")
        for file in manifest.get("left_out", ()):
            print(f"    {file}: a second copy, left out")
        if not manifest["num_views"]:
            without_views.append(name)
        elif jobs[name].angle:  # alignment would have turned it
            placed[manifest["placement"]["name"]] += 1
    print(outcome.summary())
    for why, count in sorted(bad.items()):
        print(f"{count} images left out: {why}")
    if without_views:
        print(f"{len(without_views)} rooms have no image that shows them: they train the 3D only")
    if len(placed) > 1:
        counts = ", ".join(f"{count} {how}" for how, count in placed.items())
        print(f"the points are a mixture ({counts}): check that they come from one release")
    derive_scene_tags(root, "rooms")
    print(f"prepared data: {root}")


def room_line(manifest):
    """Views of a room and how well its poses fit its points."""
    if manifest["agreement"] is None:
        return f"{manifest['num_points']} points, no image"
    line = f"{manifest['num_views']} views, {describe(manifest['agreement'])}"
    name, angle = manifest["placement"].values()
    return f"{line}, {name} by {angle:g} degrees" if angle else line


def main():
    args = parse_arguments()
    root = Path(args.out).expanduser().resolve()
    settings = Settings(
        height=args.size,
        width=args.size,
        max_views=args.max_views,
        min_tag_points=args.min_tag_points,
        aligned=ALIGNED[args.aligned],
    )
    captures, without_points = find_rooms(args.points, args.images, root, args.areas, args.angles)
    if without_points:
        some = ", ".join(without_points[:5]) + " …" * (len(without_points) > 5)
        print(f"{len(without_points)} rooms have images but no points: {some}")
    jobs = {capture.name: capture for capture in captures}
    estimate = functools.partial(estimate_bytes, settings=settings)
    remedy = "--areas, --max-views or --size"
    check_space_for(jobs, settings, args, root, estimate, "rooms", remedy)
    TABLE.write(root)
    outcome = prepare_all(prepare_room, jobs, settings, args)
    report(outcome, jobs, root)
    return outcome.exit_status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        sys.exit(f"prepare_s3dis: {error}")
    except KeyboardInterrupt:
        sys.exit("prepare_s3dis: interrupted; the same command goes on")
