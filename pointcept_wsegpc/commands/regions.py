"""`wsegpc regions`: partition prepared scenes, their points and their views, and report on it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from ..contracts.scene import split_key, split_scenes
from ..files import atomic_path, write_json
from ..jobs.scenes import JobOptions, Outcome
from ..regions.scenes import report, report_text
from ..regions.scenes.extract import extract_regions
from ..regions.scenes.records import is_extracted
from ..regions.scenes.settings import DEFAULT, RegionSettings, listing
from ..visualize.regions import draw_report
from .arguments import KEY_VALUE, data_root, job_options, split_option, subcommand
from .output import claim, make_folder

SPLITS = ("train", "val", "test")
REPORT_FOLDER = "regions-report"  # in the data root
LISTED = 20  # folders, in a message

EXAMPLES = """
wsegpc regions data/scannet_wsegpc --workers 8
wsegpc regions data/scans --set max_angle=15 --view-set min_size=30 --report
wsegpc regions data/scans --method file --set path=/other/{scene}.npy
wsegpc regions data/scans --report-only
"""


def setting_options(function: Callable) -> Callable:
    """How the points are partitioned; shared with `wsegpc sweep-regions`."""
    options = (
        click.option("--method", default=DEFAULT),
        click.option("--preset", help="Named settings of the method; see --list-methods."),
        click.option(
            "--set",
            "given",
            type=KEY_VALUE,
            multiple=True,
            metavar="KEY=VALUE …",
            help="Settings of the method; {scene} and {split} in a path stand for the names of "
            "each.",
        ),
        click.option(
            "--fill/--no-fill",
            default=None,
            show_default=False,
            help="Give unassigned points the nearest region; default: as the preset says.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def list_methods(ctx, _, value):
    """Print every method with its settings and presets, and end."""
    if value:
        click.echo(listing())
        ctx.exit()


@subcommand("regions", EXAMPLES)
@data_root
@split_option()
@setting_options
@click.option(
    "--view-method", help="Default: that of the points, if it can do views, else growing."
)
@click.option(
    "--view-preset",
    help="Default: that of the points, for the same method, if it can do views.",
)
@click.option(
    "--view-set",
    type=KEY_VALUE,
    multiple=True,
    metavar="KEY=VALUE …",
    help="Settings of the method for the views.",
)
@click.option("--force", is_flag=True, help="Also redo finished scenes.")
@click.option(
    "--report",
    "report_to",
    is_flag=False,
    flag_value="",
    metavar="[FOLDER]",
    help=f"Afterwards write report.txt, .json and .png; default: DATA_ROOT/{REPORT_FOLDER}.",
)
@click.option(
    "--report-only",
    is_flag=True,
    help="Extract nothing; report on the existing regions, whatever their settings.",
)
@click.option(
    "--list-methods",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=list_methods,
    help="List the methods, their settings and presets, then stop.",
)
@job_options
def command(
    data_root,
    split,
    method,
    preset,
    given,
    fill,
    view_method,
    view_preset,
    view_set,
    force,
    report_to,
    report_only,
    jobs,
):
    """Partition prepared scenes into regions: region.npy of the points, region images of the views.

    Finished scenes are skipped, so an interrupted run is continued by the same command.
    """
    settings = RegionSettings.resolve(
        method, preset, dict(given), view_method, view_preset, dict(view_set), fill
    )
    scenes, others = scenes_and_others(data_root, split)
    if others:
        some = ", ".join(others[:LISTED]) + ", …" * (len(others) > LISTED)
        count = f"{len(others)} of {len(scenes) + len(others)} folders"
        click.echo(f"{count} have no coord.npy, prepare them first: {some}")
    reports = report_to is not None or report_only
    folder = Path(report_to).expanduser() if report_to else data_root / REPORT_FOLDER
    if reports:
        make_folder(folder, "--report FOLDER")
        claim(folder, "regions", ("report.txt", "report.json", "report.png"))
    status = 0
    if not report_only:
        outcome = extract(settings, scenes, force, jobs)
        status = outcome.exit_status
        if not reports:
            mine = {name: scenes[name] for name in (*outcome.done, *outcome.skipped)}
            records, _ = report.read_records(mine, settings)
            if records:
                click.echo(report_text.short(report.build(records)))
    if reports:
        wanted = None if report_only else settings
        records, missing = report.read_records(scenes, wanted)
        complete = write_report(folder, data_root, records, [*missing, *others])
        status = status or int(not complete)
    return status


def scenes_and_others(root: Path, splits: Sequence[str]) -> tuple[dict[str, Path], list[str]]:
    """{split/name: folder} of the prepared scenes, and the names of other folders beside them."""
    splits = splits or [split for split in SPLITS if (root / split).is_dir()] or None
    scenes = split_scenes(root, splits)
    splits = splits or sorted({name.partition("/")[0] for name in scenes})
    found = {folder for scene in scenes.values() for folder in (scene, *scene.parents)}
    folders = [p for split in splits for p in sorted((root.resolve() / split).glob("[!.]*"))]
    others = [path for path in folders if path.is_dir() and path not in found]
    return scenes, [split_key(path, root) for path in others]


def extract(settings: RegionSettings, scenes: dict, force: bool, jobs: JobOptions) -> Outcome:
    """Partition the scenes {name: folder} of this shard; returns their outcome."""
    finished = None if force else functools.partial(is_extracted, settings=settings)
    extract_one = functools.partial(extract_regions, settings=settings)
    outcome = jobs.run(extract_one, scenes, is_done=finished, title="regions")
    click.echo(outcome.summary())
    return outcome


def write_report(folder: Path, root: Path, records: dict, missing: list[str]) -> bool:
    """report.txt, report.json and report.png of the scenes' records; prints the text.

    Returns whether all of them are written.
    """
    numbers = report.build(records, missing)
    text = report_text.text(numbers, f"Regions of {root}")
    click.echo(text)
    if not records:
        click.echo(f"{len(missing)} scenes are not extracted; no report is written")
        return False
    write_json(folder / "report.json", numbers)
    with atomic_path(folder / "report.txt") as temporary:
        Path(temporary).write_text(text + "\n", encoding="utf-8")
    click.echo(f"\nwritten: {folder}/report.txt, report.json", nl=False)
    captions = {n: report_text.caption(records[n]["points"]) for n in report.three_scenes(records)}
    try:
        draw_report(folder / "report.png", {n: (root / n, line) for n, line in captions.items()})
    except (OSError, ValueError) as error:
        click.echo(f"; no report.png: {error}")
        return False
    click.echo(", report.png")
    return True
