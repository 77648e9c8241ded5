"""`wsegpc prior`: 2D predictions of prepared scenes, lifted to their points, as a label store."""

from __future__ import annotations

import ast
import functools
import json
from pathlib import Path

import click

from ..contracts.classes import ClassTable
from ..contracts.label_store import LabelStore
from ..contracts.scene import scene_dirs, scenes_by_key
from ..contracts.tags import TAGS_FILE, read_scene_tags
from ..jobs.steps import exclusive
from ..priors import PREDICTORS
from ..priors.base import class_map, read_mapping
from ..priors.scenes import write_prior
from .arguments import KEY_VALUE, PATH, data_root, job_options, split_option, subcommand

EXAMPLES = """
wsegpc prior data/scans --predictor files --set folder=their_maps names=their_classes.txt \\
    --store exp/prior
"""


@subcommand("prior", EXAMPLES)
@data_root
@click.option("--predictor", required=True, help="Registered name of a 2D predictor.")
@click.option(
    "--set", "given", type=KEY_VALUE, multiple=True, metavar="KEY=VALUE …", help="Its settings."
)
@click.option("--mapping", type=PATH, help="JSON file, {class of the predictor: class of ours}.")
@click.option("--how", type=click.Choice(("log", "mean")), default="log", help="Fusion of views.")
@click.option("--no-tags", is_flag=True, help="Do not mask with the scenes' tags.")
@split_option(default=["train"], help="Splits to lift.")
@click.option("--store", type=PATH, required=True, help="Label store to write.")
@click.option("--replace", is_flag=True, help="Remove the labels of other settings.")
@job_options
def command(data_root, predictor, given, mapping, how, no_tags, split, store, replace, jobs):
    """Lift a 2D predictor's class scores to points: a store for stored_labels of stage one.

    Finished scenes are skipped, so an interrupted run is continued by the same command.
    """
    given = {key: literal(text) for key, text in given}
    mapping = read_mapping(mapping) if mapping else {}
    root = data_root.resolve()
    table = ClassTable.read(root)
    scenes = scenes_by_key(scene_dirs(root, split), root)
    tags = None if no_tags else read_scene_tags(root / TAGS_FILE, table)
    untagged = [] if no_tags else [key for key in scenes if key not in tags]
    if untagged:
        raise ValueError(
            f"{root / TAGS_FILE} has no tags of {untagged[0]}; add them, or give --no-tags"
        )
    network = PREDICTORS.get(predictor)(**given)
    _, unmapped, without = class_map(network.names, table, mapping)
    for names, what in ((unmapped, "of the predictor are none of ours"), (without, "get none")):
        if names:
            click.echo(f"{len(names)} classes {what}: {', '.join(names)}")
    settings = {"mapping": mapping, "how": how}
    provenance = {"prior": predictor, "settings": given, "use_tags": not no_tags, **settings}
    provenance = json.loads(json.dumps(provenance, default=str))
    with exclusive(store.with_name(f".{store.name}.lock"), patience=60):  # by the first shard
        labels = LabelStore(store, table.names, provenance).open(scenes, replace, click.echo)
    given = {"predictor": network, "table": table, "store": labels, "scene_tags": tags, **settings}
    is_done = functools.partial(is_written, store=labels)
    todo = {key: (key, folder) for key, folder in scenes.items()}
    outcome = jobs.run(functools.partial(write_prior, **given), todo, is_done=is_done, title="lift")
    click.echo(outcome.summary())
    for key, frames in sorted(outcome.done.items()):
        if frames:
            click.echo(f"{key}: {len(frames)} views without a prediction")
    if all(map(is_done, todo.values())):  # else other shards are at it
        click.echo(f"{len(scenes)} scenes, {labels.finish()['coverage']:.1%} of their points seen")
    return outcome.exit_status


def is_written(scene: tuple[str, Path], store: LabelStore) -> bool:
    """Whether a scene, (key, folder), is in the store."""
    return store.has(scene[0])


def literal(text: str):
    """A setting's value: a number, list or None as Python writes it, else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
