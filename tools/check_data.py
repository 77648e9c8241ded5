#!/usr/bin/env python3
"""Say whether a prepared data root is fit for a training, before a GPU is booked.

    tools/check_data.py ROOT --workers 8
    tools/check_data.py ROOT --names classes.txt --tolerance 0.05

Reads only. Writes report.txt, report.json and pictures of projected points to ROOT/checks-report.
Ends with status 1 where a training would be wasted.
"""

import argparse
import functools
import sys
from pathlib import Path

from pointcept_wsegpc.checks.findings import group_problems, is_wasted, render, worst_first
from pointcept_wsegpc.checks.root import (
    HELD_OUT,
    Schedule,
    check_tags,
    class_table,
    estimate,
    find_scenes,
)
from pointcept_wsegpc.checks.scene import Settings, check_scene
from pointcept_wsegpc.commands.errors import end_in_one_line
from pointcept_wsegpc.contracts.scene import read_points
from pointcept_wsegpc.contracts.views import read_views
from pointcept_wsegpc.files import atomic_path, write_json
from pointcept_wsegpc.jobs.scenes import add_job_arguments, run_jobs, take_shard
from pointcept_wsegpc.visualize.overlay import draw_overlay

REPORT_FOLDER = "checks-report"  # in the data root
ROWS = 20  # scenes that are printed; report.txt has all


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", help="data root of prepared scenes")
    parser.add_argument("--split", nargs="+", help="default: every split that is there")
    parser.add_argument(
        "--names", help="class table: a shipped one (scannet20, s3dis, …), names with commas, or a "
        "file (default: ROOT/classes.json)",
    )  # fmt: skip
    parser.add_argument("--num-views", type=int, default=6, help="of a sample (default 6)")
    parser.add_argument("--tolerance", type=float, default=0.04, help="of links, m (default 0.04)")
    parser.add_argument("--max-views", type=int, default=24, help="read in each scene (default 24)")
    parser.add_argument("--pictures", type=int, default=3, help="worst scenes drawn (default 3)")
    parser.add_argument(
        "--seconds-per-step", type=float, default=Schedule.seconds,
        help=f"for the estimated hours (default {Schedule.seconds:g}, an assumption)",
    )  # fmt: skip
    parser.add_argument("--out", help=f"report folder (default ROOT/{REPORT_FOLDER})")
    add_job_arguments(parser)
    return parser.parse_args()


def draw(scenes, records, args, out):
    """Pictures of the scenes that fit worst; returns lines that say what was not drawn."""
    drawable = {name: record for name, record in records.items() if record.get("checked_views")}
    remarks = []
    for name in worst_first(drawable)[: args.pictures]:
        try:
            points = read_points(scenes[name], ("coord", "color"))
            path = out / f"{name.replace('/', '-')}.png"
            draw_overlay(path, scenes[name], points, read_views(scenes[name]), args.tolerance)
        except (ImportError, OSError, ValueError) as error:
            remarks.append(f"no picture of {name}: {error}")
    return remarks


def check(args, root, scenes):
    """The report on the scenes {split/scene: folder}, as JSON holds it."""
    table = class_table(args.names, root)
    settings = Settings(table, args.num_views, args.tolerance, max_views=args.max_views)
    outcome = run_jobs(
        functools.partial(check_scene, settings=settings),
        scenes,
        workers=args.workers,
        scheduler=args.scheduler,
        title="check",
    )
    for name, reason in outcome.failed.items():
        problem = {"key": "unreadable", "found": f"cannot be checked: {reason}", "wasted": True}
        outcome.done[name] = {"problems": [{**problem, "fix": "prepare this scene again"}]}
    records = dict(sorted(outcome.done.items()))
    tags = check_tags(root, list(find_scenes(root)), records, table).record()
    training = [r for name, r in records.items() if name.partition("/")[0] not in HELD_OUT]
    schedule = Schedule(seconds=args.seconds_per_step, num_views=args.num_views)
    return {
        "root": str(root),
        "names": list(table.names),
        "settings": {"tolerance": args.tolerance, "max_views": args.max_views},
        "scenes": records,
        "tags": {key: value for key, value in tags.items() if key != "problems"},
        "estimate": estimate(training, schedule),
        "problems": group_problems(records, tags["problems"]),
    }


def main():
    args = parse_arguments()
    root = Path(args.root).expanduser().resolve()
    out = Path(args.out).expanduser().resolve() if args.out else root / REPORT_FOLDER
    scenes = find_scenes(root, args.split)
    scenes = {name: scenes[name] for name in take_shard(sorted(scenes), args.shard)}
    report = check(args, root, scenes)
    write_json(out / "report.json", report)
    with atomic_path(out / "report.txt") as temporary:
        Path(temporary).write_text(render(report), encoding="utf-8")
    print(render(report, ROWS))
    for line in draw(scenes, report["scenes"], args, out):
        print(line)
    print(f"report and pictures: {out}")
    return 1 if is_wasted(report) else 0


if __name__ == "__main__":
    try:
        with end_in_one_line("check_data"):
            sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("check_data: interrupted")
