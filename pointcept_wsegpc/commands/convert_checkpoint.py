"""`wsegpc convert-checkpoint`: checkpoints that were trained with MinkowskiEngine."""

from __future__ import annotations

import click

from .. import host
from ..files import atomic_path
from .arguments import PATH, subcommand

EXAMPLES = "wsegpc convert-checkpoint model_best.pth.tar exp/authors/model/model_last.pth"


@subcommand("convert-checkpoint", EXAMPLES)
@click.argument("checkpoint", type=PATH, metavar="IN")
@click.argument("out", type=PATH, metavar="OUT")
@click.option(
    "--trust",
    is_flag=True,
    help="Unpickle whatever else IN holds, such as a training's settings. That runs code of the "
    "file: only for files whose source you trust.",
)
def command(checkpoint, out, trust):
    """Convert a checkpoint of MinkowskiEngine: the WSegPC authors', or a Mink U-Net.

    Prints the backbone's config. OUT has the layout of a Pointcept checkpoint: a stage one for
    scannet/wsegpc-cmg-rpc (wsegpc export-labels), a segmentation network for
    scannet/stage2-minkunet18a (scripts/test.sh, wsegpc predict).
    """
    import torch

    host.ensure_pointcept(quiet=True)

    from ..models.checkpoint import read_checkpoint
    from ..models.minkowski_weights import convert_checkpoint

    state, settings = convert_checkpoint(read_checkpoint(checkpoint, trust))
    with atomic_path(out) as temporary:
        torch.save({"state_dict": state, "epoch": 0}, temporary)
    given = ", ".join(f"{key}={value!r}" for key, value in settings.items())
    click.echo(f'{out}: {len(state)} entries; backbone=dict(type="WSegPCMinkUNet", {given})')
    if "student.image_head.weight" in state:
        click.echo("its 2D branch is not quite the authors': theirs has no activation in the stem")
