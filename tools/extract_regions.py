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
import ast
import functools
import sys
from pathlib import Path

from pointcept_wsegpc.files import atomic_path, write_json
from pointcept_wsegpc.jobs import add_job_arguments, run_jobs
from pointcept_wsegpc.region_pictures import draw_report
from pointcept_wsegpc.regions import METHODS, PRESETS, report, report_text
from pointcept_wsegpc.regions.scenes import (
    FROM_SCENE,
    Settings,
    defaults_of,
    extract_regions,
    is_extracted,
    required_by,
)
from pointcept_wsegpc.schema import scene_dirs

SPLITS = ("train", "val", "test")
REPORT_FOLDER = "regions-report"  # in the data root


class ListMethods(argparse.Action):
    """Print every method with its settings and presets, and end."""

    def __call__(self, parser, *_):
        print(
            "Settings with the values that they have where nothing else is said; auto: by the data"
        )
        for name, function in METHODS.items():
            summary = (function.__doc__ or "").strip().splitlines()[0].replace(" (M,)", "")
            print(f"\n{name}: {summary}\n    {words(listed_settings(name)) or 'no settings'}")
            for preset, values in PRESETS.get(name, {}).items():
                print(f"    --preset {preset}: {words(values)}")
        parser.exit()


def listed_settings(method):
    """What can be set, by name; `mesh` stands for faces, and what scenes have is left out."""
    settings = {k: "auto" if v is None else v for k, v in defaults_of(method).items()}
    settings |= dict.fromkeys(required_by(method), "(needed)")
    if "faces" in settings:
        settings["mesh"] = "none"
    return {name: value for name, value in settings.items() if name not in FROM_SCENE}


def words(settings):
    return "  ".join(f"{name}={value}" for name, value in settings.items())


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
    parser.add_argument("--view-method", help="default: that of the points, if it can do views")
    parser.add_argument("--view-preset", help="default: that of the points, for the same method")
    for flag, target in (("--set", "points"), ("--view-set", "views")):
        parser.add_argument(
            flag, nargs="+", type=setting, action="extend", default=[], metavar="KEY=VALUE",
            help=f"settings of the method for the {target}; {{scene}} and {{split}} in a path "
            "stand for the names of each",
        )  # fmt: skip
    parser.add_argument(
        "--fill", action=argparse.BooleanOptionalAction,
        help="give unassigned points and pixels the nearest region; default: as the preset says",
    )  # fmt: skip


def setting(text):
    """'max_angle=15' -> ('max_angle', 15); a value that is no Python literal stays a string."""
    key, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r}: expected KEY=VALUE, such as max_angle=15")
    try:
        return key, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return key, value


def extract(args, settings, scenes):
    """Partition the scenes {name: folder} of this shard; returns their outcome."""
    finished = functools.partial(is_extracted, settings=settings)
    outcome = run_jobs(
        functools.partial(extract_regions, settings=settings),
        scenes,
        workers=args.workers,
        shard=args.shard,
        is_done=None if args.force else finished,
        title="regions",
    )
    print(outcome.summary())
    return outcome


def write_report(folder, root, records, missing):
    """report.txt, report.json and report.png of the scenes' records; prints the text."""
    numbers = report.build(records, missing)
    text = report_text.text(numbers, f"Regions of {root}")
    write_json(folder / "report.json", numbers)
    with atomic_path(folder / "report.txt") as temporary:
        Path(temporary).write_text(text + "\n", encoding="utf-8")
    chosen = report.three_scenes(records)
    if chosen:
        captions = {name: report_text.caption(records[name]["points"]) for name in chosen}
        rows = {name: (root / name, captions[name]) for name in chosen}
        draw_report(folder / "report.png", rows)
    print(f"{text}\n\nwritten: {folder}/report.txt, report.json, report.png")


def main():
    args = parse_arguments()
    settings = Settings(
        args.method, args.preset, dict(args.set),
        args.view_method, args.view_preset, dict(args.view_set), args.fill,
    )  # fmt: skip
    root = Path(args.root).expanduser().resolve()
    splits = args.split or [s for s in SPLITS if (root / s).is_dir()] or list(SPLITS)
    scenes = {f"{path.parent.name}/{path.name}": path for path in scene_dirs(root, splits)}
    status = 0
    if not args.report_only:
        outcome = extract(args, settings, scenes)
        status = outcome.exit_status
        names = [*outcome.done, *outcome.skipped]
        if names and args.report is None:
            records, _ = report.read_records({name: scenes[name] for name in names}, settings)
            numbers = report.build(records)
            print(report_text.short(numbers))
    if args.report is not None or args.report_only:
        folder = Path(args.report).expanduser() if args.report else root / REPORT_FOLDER
        write_report(folder, root, *report.read_records(
            scenes, None if args.report_only else settings
        ))  # fmt: skip
    return status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        sys.exit(f"extract_regions: {error}")
    except KeyboardInterrupt:
        sys.exit("extract_regions: interrupted; the same command goes on")
