#!/usr/bin/env python3
"""Partition prepared scenes into regions: region.npy of the points, region images of the views.

    tools/extract_regions.py ROOT --workers 8
    tools/extract_regions.py ROOT --set max_angle=15 --view-set min_size=30 --report
    tools/extract_regions.py ROOT --method file --set path=/other/{scene}.npy
    tools/extract_regions.py ROOT --report-only

Finished scenes are skipped, so an interrupted run is continued by the same command. On several
machines, give each its own --shard. --list-methods: methods, their settings and presets.
"""

import argparse
import functools
import sys
import tempfile
from pathlib import Path

from key_value import key_value
from pointcept_wsegpc.contracts.scene import scene_dirs
from pointcept_wsegpc.files import atomic_path, write_json
from pointcept_wsegpc.jobs.scenes import add_job_arguments, run_jobs
from pointcept_wsegpc.regions.scenes import report, report_text
from pointcept_wsegpc.regions.scenes.extract import extract_regions
from pointcept_wsegpc.regions.scenes.records import is_extracted
from pointcept_wsegpc.regions.scenes.settings import Settings, listing
from pointcept_wsegpc.visualize.regions import draw_report

SPLITS = ("train", "val", "test")
REPORT_FOLDER = "regions-report"  # in the data root
LISTED = 20  # folders, in a message


class ListMethods(argparse.Action):
    """Print every method with its settings and presets, and end."""

    def __call__(self, parser, *_):
        print(listing())
        parser.exit()


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", help="data root of prepared scenes")
    parser.add_argument("--split", nargs="+", help="default: every split that is there")
    add_setting_arguments(parser)
    parser.add_argument("--force", action="store_true", help="also redo finished scenes")
    parser.add_argument(
        "--report", nargs="?", const="", metavar="FOLDER",
        help=f"afterwards write report.txt, .json and .png (default: ROOT/{REPORT_FOLDER})",
    )  # fmt: skip
    parser.add_argument(
        "--report-only", action="store_true",
        help="extract nothing; report on what is there, whatever its settings",
    )  # fmt: skip
    parser.add_argument("--list-methods", action=ListMethods, nargs=0, help="and end")
    add_job_arguments(parser)
    return parser.parse_args()


def add_setting_arguments(parser):
    parser.add_argument("--method", default="growing", help="default growing")
    parser.add_argument("--preset", help="settings of the method known by a name")
    parser.add_argument(
        "--view-method", help="default: that of the points, if it can do views, else growing"
    )
    parser.add_argument(
        "--view-preset", help="default: that of the points, for the same method, if it can do views"
    )
    for flag, target in (("--set", "points"), ("--view-set", "views")):
        parser.add_argument(
            flag, nargs="+", type=key_value, action="extend", default=[], metavar="KEY=VALUE",
            help=f"settings of the method for the {target}; {{scene}} and {{split}} in a path "
            "stand for the names of each",
        )  # fmt: skip
    parser.add_argument(
        "--fill", action=argparse.BooleanOptionalAction,
        help="give unassigned points and pixels the nearest region; default: as the preset says",
    )  # fmt: skip


def find_scenes(root, splits):
    """{split/name: folder} of the prepared scenes, and the names of other folders beside them."""
    splits = splits or [split for split in SPLITS if (root / split).is_dir()]
    splits = splits or sorted({p.parents[1].name for p in root.glob("[!.]*/*/coord.npy")}) or SPLITS
    scenes = {f"{path.parent.name}/{path.name}": path for path in scene_dirs(root, splits)}
    folders = [p for split in splits for p in sorted((root / split).glob("[!.]*"))]
    names = [f"{path.parent.name}/{path.name}" for path in folders if path.is_dir()]
    return scenes, [name for name in names if name not in scenes]


def extract(args, settings, scenes):
    """Partition the scenes {name: folder} of this shard; returns their outcome."""
    if settings.note_on_views():
        print(settings.note_on_views())
    finished = functools.partial(is_extracted, settings=settings)
    outcome = run_jobs(
        functools.partial(extract_regions, settings=settings),
        scenes,
        workers=args.workers,
        shard=args.shard,
        scheduler=args.scheduler,
        is_done=None if args.force else finished,
        title="regions",
    )
    print(outcome.summary())
    return outcome


def make_folder(folder):
    """Make the folder of a report; ValueError, before all the work, where none can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ValueError(
            f"no report can be written to {folder} ({error.strerror}); give another --report FOLDER"
        ) from error


def write_report(folder, root, records, missing):
    """report.txt, report.json and report.png of the scenes' records; prints the text.

    Returns whether all of them are written.
    """
    numbers = report.build(records, missing)
    text = report_text.text(numbers, f"Regions of {root}")
    print(text)
    if not records:
        print(f"{len(missing)} scenes are not extracted; no report is written")
        return False
    write_json(folder / "report.json", numbers)
    with atomic_path(folder / "report.txt") as temporary:
        Path(temporary).write_text(text + "\n", encoding="utf-8")
    print(f"\nwritten: {folder}/report.txt, report.json", end="")
    captions = {n: report_text.caption(records[n]["points"]) for n in report.three_scenes(records)}
    try:
        draw_report(folder / "report.png", {n: (root / n, line) for n, line in captions.items()})
    except (OSError, ValueError) as error:
        print(f"; no report.png: {error}")
        return False
    print(", report.png")
    return True


def main():
    args = parse_arguments()
    settings = Settings(
        args.method, args.preset, dict(args.set),
        args.view_method, args.view_preset, dict(args.view_set), args.fill,
    )  # fmt: skip
    root = Path(args.root).expanduser().resolve()
    scenes, others = find_scenes(root, args.split)
    if others:
        some = ", ".join(others[:LISTED]) + ", …" * (len(others) > LISTED)
        count = f"{len(others)} of {len(scenes) + len(others)} folders"
        print(f"{count} have no coord.npy, prepare them first: {some}")
    reports = args.report is not None or args.report_only
    folder = Path(args.report).expanduser() if args.report else root / REPORT_FOLDER
    if reports:
        make_folder(folder)
    status = 0
    if not args.report_only:
        outcome = extract(args, settings, scenes)
        status = outcome.exit_status
        if not reports:
            mine = {name: scenes[name] for name in (*outcome.done, *outcome.skipped)}
            records, _ = report.read_records(mine, settings)
            if records:
                print(report_text.short(report.build(records)))
    if reports:
        wanted = None if args.report_only else settings
        records, missing = report.read_records(scenes, wanted)
        complete = write_report(folder, root, records, [*missing, *others])
        status = status or int(not complete)
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        sys.exit(f"extract_regions: {error}")
    except KeyboardInterrupt:
        sys.exit("extract_regions: interrupted; the same command goes on")
