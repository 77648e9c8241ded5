"""`wsegpc link`: our configs in a Pointcept checkout, where its scripts look for them."""

from __future__ import annotations

from pathlib import Path

import click

from .arguments import PATH, subcommand
from .configs import LINK, configs_folder


@subcommand("link", "cd /path/to/Pointcept && wsegpc link .")
@click.argument("pointcept", type=PATH)
def command(pointcept):
    """Make or check the link configs/wsegpc in a Pointcept checkout.

    Pointcept's scripts then find our configs (-d wsegpc/scannet -c wsegpc-cmg), from wherever this
    package is installed. What else has that name is left alone.
    """
    made = link(pointcept)
    target = (pointcept / LINK).readlink()
    click.echo(f"{pointcept / LINK} -> {target} ({'made' if made else 'was there'})")


def link(pointcept: Path) -> bool:
    """Make the link; returns whether it was missing.

    Raises FileNotFoundError where this is no Pointcept checkout, FileExistsError where something
    else has the link's name.
    """
    path, target = pointcept / LINK, configs_folder()
    if not (pointcept / "pointcept" / "__init__.py").is_file() or not path.parent.is_dir():
        raise FileNotFoundError(
            f"{pointcept} holds no pointcept/__init__.py and configs/; give a Pointcept checkout"
        )
    if path.is_symlink() or path.exists():
        if path.is_symlink() and path.resolve() == target.resolve():
            return False
        what = f"a link to {path.readlink()}" if path.is_symlink() else "not a link"
        raise FileExistsError(
            f"{path} is {what}, expected a link to {target}; move it away and run this again"
        )
    path.symlink_to(target, target_is_directory=True)
    return True
