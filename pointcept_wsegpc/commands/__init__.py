"""The console command `wsegpc`: one file a sub-command, imported only when it is called.

Every command ends with status 0 when all is done, 1 where something failed (one line says what),
2 for a wrong command line and 130 at Ctrl-C.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from pathlib import Path

import click

from .. import __version__

# Before torch is imported. Threads of OpenMP that spin while they wait take the time of whatever
# else runs: beside one busy process, a training step on two cores takes five times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

INTERRUPTED = 130  # exit status at Ctrl-C, as of a shell
COMMANDS = {
    "info": "Say which engine and versions are there, and what is missing.",
    "link": "Make or check the link to our configs in a Pointcept checkout.",
    "prepare": "Turn raw captures into prepared scenes.",
    "check": "Say whether a data root is fit for training.",
    "regions": "Partition prepared scenes into regions.",
    "sweep-regions": "Show what a setting of a partition does to one cloud.",
    "prior": "Lift 2D predictions to points, as a label store.",
    "train": "Train from a config.",
    "train-scans": "Run stage one on your own prepared scans.",
    "export-labels": "Write the pseudo-labels of a trained stage one.",
    "import-labels": "Turn pseudo-labels made elsewhere into a label store.",
    "predict": "Label whole scenes with a trained stage two.",
    "export-ply": "Write labels as .ply files for any viewer.",
    "convert-checkpoint": "Convert a checkpoint of MinkowskiEngine.",
    "synthesize": "Make synthetic rooms in ScanNet's raw layout.",
    "synthrooms": "Make or check SynthRooms, the open benchmark.",
    "quickstart": "Run the whole path on synthetic rooms.",
    "upgrade": "Upgrade stores, data roots and configs of an earlier release.",
}


class Commands(click.Group):
    """The sub-commands of COMMANDS, each the `command` of its module."""

    def list_commands(self, ctx):
        return list(COMMANDS)

    def get_command(self, ctx, name):
        if name not in COMMANDS:
            return None
        return importlib.import_module(f".{name.replace('-', '_')}", __name__).command

    def format_commands(self, ctx, formatter):
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # while a sub-command is imported, which takes seconds
            click.echo("\nwsegpc: interrupted; nothing has begun", err=True)
            ctx.exit(INTERRUPTED)

    def resolve_command(self, ctx, args):
        if args[0] not in COMMANDS:
            ctx.fail(unknown(args[0], COMMANDS, "command"))
        return super().resolve_command(ctx, args)


def unknown(name: str, known, kind: str) -> str:
    """The message for a name that is not among the known ones: with the nearest, or all of them."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"choose one of {', '.join(known)}"
    return f"no {kind} {name!r}; {hint}"


@click.group(
    cls=Commands,
    epilog="wsegpc COMMAND --help describes a command.",
    context_settings={"max_content_width": 100},
)
@click.version_option(__version__, prog_name="wsegpc")
def main():
    """Scene tags to point labels: weakly supervised point cloud segmentation for Pointcept."""


def door(script: str) -> None:
    """Run the sub-command that a script of tools/ is named after."""
    main([Path(script).stem.replace("_", "-"), *sys.argv[1:]], prog_name="wsegpc")
