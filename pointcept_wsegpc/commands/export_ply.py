"""`wsegpc export-ply`: labels as .ply files in the classes' colors, on every point as scanned."""

from __future__ import annotations

import functools

import click

from ..contracts.classes import CLASSES_FILE, ClassTable, given_table
from ..contracts.label_store import LabelStore
from ..contracts.scene import scene_dirs, scenes_by_key
from ..visualize.ply import LEGEND, write_labeled, write_legend
from .arguments import PATH, data_root, job_options, subcommand
from .output import claim

EXAMPLES = """
wsegpc export-ply data/scans --store exp/scans/wsegpc-cmg-rpc/pseudo_labels --out exp/scans/ply
"""


@subcommand("export-ply", EXAMPLES, resumes="the same command writes all again")
@data_root
@click.option("--store", type=PATH, required=True, help="Label store.")
@click.option("--out", type=PATH, required=True, help="Folder to write SCENE.ply into.")
@click.option(
    "--classes",
    help="Class table: a shipped one, names with commas, or a file (.json, or names one a line); "
    f"default DATA_ROOT/{CLASSES_FILE}.",
)
@job_options
def command(data_root, store, out, classes, jobs):
    """Write labels as .ply files for any viewer.

    A file has the properties label (-1: none) and confidence; its header names the classes, as far
    as ASCII can, and legend.json has their names and colors. Points, faces and coordinates are
    those of the scan where it is still there and labels lead back to it, else those of the prepared
    scene.
    """
    table = given_table(classes) if classes else ClassTable.read(data_root)
    root, labels = data_root.resolve(), LabelStore.load(store)
    scenes = scenes_by_key(scene_dirs(root), root)
    keys = filter(labels.has, scenes)
    labeled = {key: (scenes[key], store, key, out / f"{key}.ply") for key in keys}
    if not labeled:
        raise FileNotFoundError(
            f"no label of a scene of {root} in {store}; write them with "
            "`wsegpc export-labels`, `predict` or `train-scans`"
        )
    claim(out, "export-ply", [LEGEND, *(f"{key}.ply" for key in labeled)])
    write_legend(out, table)
    outcome = jobs.run(functools.partial(write_labeled, table=table), labeled, title="write")
    click.echo(outcome.summary())
    for name, note in sorted(outcome.done.items()):
        if note:
            click.echo(f"  {name}: {note}")
    click.echo(f"labeled scans: {out}")
    return outcome.exit_status
