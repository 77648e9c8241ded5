"""`wsegpc check`: check that a data root is fit for training, and explain what is wrong."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import click

from ..checks.findings import is_wasted, render, worst_first
from ..checks.root import check_tags, report_of
from ..checks.scene import Settings, check_scene
from ..checks.schedule import Schedule
from ..contracts.classes import ClassTable, given_table
from ..contracts.prepared import kind_of
from ..contracts.scene import INVERSE, read_points, split_scenes
from ..contracts.views import read_views
from ..files import atomic_path, write_json
from ..jobs.scenes import JobOptions
from ..visualize.overlay import draw_overlay
from .arguments import COUNT, KEY_VALUE, PATH, data_root, job_options, split_option, subcommand
from .output import claim, make_folder
from .raw_scans import check_scans, is_raw

REPORT_FOLDER = "checks-report"  # in the data root
# Of a scene; a folder with any of them is checked, a broken scene included.
PARTS = ("coord.npy", "views.npz", "manifest.json", "region.npy", "views")
ROWS = 20  # scenes that are printed; report.txt has all

EXAMPLES = """
wsegpc check data/scannet_wsegpc --workers 8
wsegpc check data/scans --classes classes.txt --depth-tolerance 0.05
"""


@subcommand("check", EXAMPLES, resumes="nothing is written yet")
@data_root
@split_option()
@click.option(
    "--classes",
    help="Class table: a shipped one, names with commas, or a file (.json, or names one a line); "
    "default DATA_ROOT/classes.json.",
)
@click.option("--num-views", type=COUNT, default=6, help="Views per training sample.")
@click.option("--depth-tolerance", default=0.04, help="Depth tolerance of the links, in meters.")
@click.option("--sample-views", type=COUNT, default=24, help="Views read per scene.")
@click.option("--figures", type=click.IntRange(min=0), default=3, help="Worst scenes drawn.")
@click.option(
    "--seconds-per-step",
    type=float,
    default=Schedule.seconds,
    help="Seconds per step, for the estimated hours; the default is an assumption.",
)
@click.option("--out", type=PATH, help=f"Report folder; default DATA_ROOT/{REPORT_FOLDER}.")
@click.option(
    "--set",
    "given",
    type=KEY_VALUE,
    multiple=True,
    metavar="KEY=VALUE …",
    help="Of raw scans: how they would be prepared, by the options of `wsegpc prepare scans`.",
)
@job_options
def command(
    data_root,
    split,
    classes,
    num_views,
    depth_tolerance,
    sample_views,
    figures,
    seconds_per_step,
    out,
    given,
    jobs,
):
    """Say whether a prepared data root, or a folder of your own raw scans, is fit for training.

    Writes report.txt, report.json and figures of projected points, nothing else. Of raw scans it
    writes, and draws, nothing. Ends with status 1 where a training would be wasted.
    """
    settings = Settings(None, num_views, depth_tolerance, max_views=sample_views)
    if is_raw(data_root):
        if split or classes or out:
            raise click.UsageError("--split, --classes and --out are for prepared data roots")
        report = check_scans(data_root, dict(given), settings, jobs)
        click.echo(render(report, ROWS))
        return 1 if is_wasted(report) else 0
    if given:
        raise click.UsageError(f"--set is for raw scans; {data_root} is a prepared data root")
    scenes = split_scenes(data_root, split or None, *PARTS)
    scenes = {name: scenes[name] for name in jobs.share(scenes)}
    table = given_table(classes) if classes else ClassTable.read(data_root)
    drawings = [figure_of(name) for name in scenes]
    out = claimed(data_root, out, ["report.json", "report.txt", *drawings])
    report = check(data_root, scenes, replace(settings, table=table), seconds_per_step, jobs)
    click.echo(render(report, ROWS))
    if out:
        write_json(out / "report.json", report)
        with atomic_path(out / "report.txt") as temporary:
            Path(temporary).write_text(render(report), encoding="utf-8")
        for line in draw(scenes, report["scenes"], figures, depth_tolerance, out):
            click.echo(line)
        click.echo(f"report and figures: {out}")
    return 1 if is_wasted(report) else 0


def claimed(root: Path, out: Path | None, names: list[str]) -> Path | None:
    """The folder of the report; None, and a line, where none was given and the root is read-only.

    Raises one line, before all the work, where a given one cannot be written.
    """
    folder = out or root / REPORT_FOLDER
    try:
        make_folder(folder, "--out")
    except ValueError as error:
        if out:
            raise
        click.echo(f"{error}; the report is printed, and no figure is drawn")
        return None
    claim(folder, "check", names)
    return folder


def figure_of(scene: str) -> str:
    return f"{scene.replace('/', '-')}.png"


def draw(scenes: dict, records: dict, count: int, tolerance: float, out: Path) -> list[str]:
    """Figures of the `count` scenes that fit worst; returns lines that say what was not drawn."""
    drawable = {name: record for name, record in records.items() if record.get("checked_views")}
    remarks = []
    for name in worst_first(drawable)[:count]:
        try:
            points = read_points(scenes[name], ("coord",), ("color",))
            path, views = out / figure_of(name), read_views(scenes[name])
            draw_overlay(path, scenes[name], points, views, tolerance)
        except (ImportError, OSError, ValueError) as error:
            remarks.append(f"no figure of {name}: {error}")
    return remarks


def check(root: Path, scenes: dict, settings: Settings, seconds: float, jobs: JobOptions) -> dict:
    """The report on the scenes {split/scene: folder}, as JSON holds it."""
    outcome = jobs.run(functools.partial(check_scene, settings=settings), scenes, title="check")
    for name, reason in outcome.failed.items():
        problem = {"key": "unreadable", "found": f"cannot be checked: {reason}", "wasted": True}
        outcome.done[name] = {"problems": [{**problem, "fix": "prepare this scene again"}]}
    records = dict(sorted(outcome.done.items()))
    known = list(split_scenes(root, None, *PARTS))
    tags = check_tags(root, known, records, settings.table).record()
    kind = kind_of(root)  # an older root does not say, but own scans have inverse.npy
    own = kind == "scans" or (not kind and any((s / INVERSE).is_file() for s in scenes.values()))
    return report_of(root, records, tags, settings, seconds, own)
