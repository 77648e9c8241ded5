"""`wsegpc synthrooms`: the open benchmark: scan its rooms, prepare, partition, check."""

from __future__ import annotations

from pathlib import Path

import click

from ..contracts.tags import assemble_tags
from ..jobs.scenes import Outcome, run_jobs
from ..jobs.steps import exclusive
from ..regions.scenes.extract import extract_regions
from ..regions.scenes.records import finished_record
from ..regions.scenes.settings import RegionSettings
from ..synthetic import benchmark as synthrooms
from ..synthetic import benchmark_check
from .arguments import COUNT, PATH, subcommand

EXAMPLES = """
wsegpc synthrooms --out data/synthrooms_small --workers 2
wsegpc synthrooms --out data/synthrooms_large --edition large --workers 16
"""


@subcommand("synthrooms", EXAMPLES)
@click.option("--out", type=PATH, required=True, help="Data root to write.")
@click.option("--edition", type=click.Choice(sorted(synthrooms.SIZES)), default="small")
@click.option("--workers", type=COUNT, default=2, help="Processes.")
@click.option("--check-only", is_flag=True, help="Make nothing, only check.")
def command(out, edition, workers, check_only):
    """Make SynthRooms, the open benchmark: scan its rooms, prepare, partition and check them.

    Finished scenes are skipped. The last line says whether the data are those that published
    results are of.
    """
    size = synthrooms.SIZES[edition]
    if not check_only:
        with exclusive(out / ".lock"):  # another run would delete the scans that this one makes
            for step in (make_scenes, partition):
                status = step(out, size, workers).exit_status
                if status:
                    return status
    click.echo(benchmark_check.verify(out, size))
    return 0


def make_scenes(root: Path, size: synthrooms.Size, workers: int) -> Outcome:
    """Make what is missing; returns the Outcome."""
    synthrooms.claim(root, size)
    scenes = synthrooms.scenes(root, size)
    outcome = run_jobs(
        synthrooms.make, scenes, workers=workers, is_done=synthrooms.is_made, title="scenes"
    )
    click.echo(outcome.summary())
    assemble_tags(root)
    return outcome


def partition(root: Path, size: synthrooms.Size, workers: int) -> Outcome:
    """Regions of the points and views, with the default method; returns the Outcome.

    Where regions were made already with other settings they stay: they are somebody's choice.
    """
    scenes = {name: scene.folder for name, scene in synthrooms.scenes(root, size).items()}
    outcome = run_jobs(
        partition_scene, scenes, workers=workers, is_done=has_regions, title="regions"
    )
    click.echo(outcome.summary())
    return outcome


def has_regions(scene: Path) -> bool:
    return finished_record(scene) is not None


def partition_scene(scene: Path) -> None:
    extract_regions(scene, RegionSettings())
