"""`wsegpc upgrade`: label stores, data roots, checkpoints and configs of an earlier release."""

from __future__ import annotations

from pathlib import Path

import click

from ..contracts.classes import given_table
from ..files import atomic_path
from . import old_names
from .arguments import PATH, subcommand
from .upgrade_config import upgrade_config
from .upgrade_data import (
    is_data_root,
    is_old_store,
    upgrade_checkpoint,
    upgrade_root,
    upgrade_store,
)

EXAMPLES = """
wsegpc upgrade exp/cmg-rpc/pseudo_labels       # writes exp/cmg-rpc/pseudo_labels.upgraded
wsegpc upgrade data/scannet_wsegpc             # adds classes.json
wsegpc upgrade my_config.py                    # keeps my_config.py.orig
"""


def list_names(ctx, _, value):
    """Print all old names, and end."""
    if value:
        click.echo(old_names.page())
        ctx.exit()


@subcommand("upgrade", EXAMPLES)
@click.argument("path", type=PATH)
@click.option("--out", type=PATH, help="New store or checkpoint; default: beside PATH.")
@click.option("--classes", help="Class table of a data root, where none fits its labels and tags.")
@click.option(
    "--list", is_flag=True, expose_value=False, is_eager=True, callback=list_names,
    help="List all old names with their new ones, and end.",
)  # fmt: skip
def command(path, out, classes):
    """Bring what an earlier release wrote along: PATH is a label store, data root, config or
    checkpoint.

    Stores and checkpoints are written anew beside the old ones, which stay. A data root gets what
    it lacks. A config, or every config in a folder, is rewritten where it has old names, and the
    old text is kept as NAME.py.orig. Says what changed, and what needs a hand.
    """
    if path.is_dir() and is_old_store(path):
        store = upgrade_store(path, out or path.with_name(f"{path.name}.upgraded"))
        scenes, coverage = len(store.manifest["scenes"]), store.manifest["coverage"]
        click.echo(f"{store.path}: {scenes} scenes, coverage {coverage:.1%}; {path} stays as it is")
    elif path.is_dir() and is_data_root(path):
        for line in upgrade_root(path, given_table(classes) if classes else None):
            click.echo(line)
    elif path.suffix in (".pth", ".tar") and path.is_file():
        out = out or path.with_name(f"{path.stem}.upgraded{path.suffix}")
        renamed = upgrade_checkpoint(path, out)
        for line in renamed or ["nothing to rename"]:
            click.echo(line)
        if renamed:
            click.echo(f"written: {out}; {path} stays as it is")
    else:
        return upgrade_configs(path)
    return 0


def upgrade_configs(path: Path) -> int:
    """Rewrite a config, or all in a folder; 1 where something needs a hand."""
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path] * path.is_file()
    if not files:
        raise FileNotFoundError(
            f"{path} is no label store, data root, checkpoint or config of an earlier release"
        )
    left = [file for file in files if rewrite(file)]
    return 1 if left else 0


def rewrite(file: Path) -> list[str]:
    """Rewrite one config where it has old names; what needs a hand, a line each."""
    old = file.read_bytes().decode()  # line ends as they are
    try:
        done = upgrade_config(old, file.parent)
    except SyntaxError as error:
        raise ValueError(f"{file} is no config that Python can read ({error})") from error
    if done.text != old:
        kept = file.with_name(f"{file.name}.orig")
        if kept.exists() and kept.read_bytes() != old.encode():
            raise FileExistsError(f"{kept} is there already; move it away and run this again")
        for path, text in ((kept, old), (file, done.text)):
            with atomic_path(path) as temporary:
                Path(temporary).write_bytes(text.encode())
    for line in done.renamed:
        click.echo(f"{file}: {line}")
    for line in done.by_hand:
        click.echo(f"{file}: by hand: {line}")
    if not (done.renamed or done.by_hand):
        click.echo(f"{file}: nothing to rename")
    return done.by_hand
