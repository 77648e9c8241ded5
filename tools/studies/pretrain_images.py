#!/usr/bin/env python3
"""Pre-train the image network on rendered images of other rooms and of single objects."""

import json
import math
from pathlib import Path

import click
import numpy as np
import torch

from pointcept_wsegpc import __version__
from pointcept_wsegpc.captures.scannet.raw import TABLE
from pointcept_wsegpc.commands.arguments import COUNT, PATH, POSITIVE, SIZE, subcommand
from pointcept_wsegpc.files import atomic_path, read_json, write_json
from pretraining.images import render_set, room_seeds
from pretraining.training import TagNet, Training, held_out

HELD_OUT = 400  # images
WEIGHT_DECAY = 0.01
EXAMPLES = """
tools/studies/pretrain_images.py --out exp/pretrained/resnet18.pth --workers 2

# ResNet-50 for views of 320x240, as configs/scannet has them; on a GPU
tools/studies/pretrain_images.py --out exp/pretrained/resnet50.pth --network resnet50 \\
    --num-stages 0 --size 320x240 --workers 16
"""


@subcommand("pretrain_images", EXAMPLES)
@click.option("--out", type=PATH, required=True, help="File of weights to write.")
@click.option("--network", default="resnet18", help="Name of a timm network.")
@click.option("--num-stages", default=3, help="Of the network, as its config has them; 0: all.")
@click.option("--steps", type=COUNT, default=2000)
@click.option("--minutes", type=POSITIVE, default=math.inf, help="End after so many of training.")
@click.option("--num-images", type=COUNT, default=6000)
@click.option("--size", type=SIZE, default="64x48", help="Of an image, in pixels.")
@click.option("--batch-size", type=COUNT, default=32)
@click.option("--lr", type=POSITIVE, default=0.001)
@click.option("--seed", default=0)
@click.option("--workers", type=COUNT, default=1, help="Processes that render.")
def command(out: Path, minutes: float, workers: int, **options) -> int:
    """Pre-train the image network on rendered images of other rooms and of single objects.

    The labels are those of whole images: which classes one shows. The rooms share no seed with any
    scan. In a config: model.image_encoder.weights=FILE. An interrupted run is continued by the same
    command; images are rendered again, never stored. It trains on a GPU where there is one; on a
    CPU equal options give equal weights, unless --minutes ends it: that depends on the machine.
    """
    # As the record has them, in JSON.
    settings = json.loads(json.dumps({**options, "version": __version__}))
    record, partial = (out.with_name(f"{out.name}.{end}") for end in ("json", "unfinished"))
    if is_finished(out, record, settings):
        click.echo(f"{out} is finished, made with the same options")
        return 0
    seed, size = options["seed"], options["size"]
    train_seed, other_seed = room_seeds(seed)
    torch.manual_seed(seed)
    net = TagNet(options["network"], options["num_stages"] or None, len(TABLE))
    net.to("cuda" if torch.cuda.is_available() else "cpu")
    training = Training(net, partial, settings, options["lr"], WEIGHT_DECAY)
    other = render_set(other_seed, HELD_OUT, size, workers)
    report(training, other)
    images = render_set(train_seed, options["num_images"], size, workers)
    training.run(*images, options["steps"], minutes, options["batch_size"], seed)
    report(training, other)
    with atomic_path(out) as temporary:
        torch.save(net.cpu().encoder.network.state_dict(), temporary)
    write_json(record, {"settings": settings, "steps": training.step})
    partial.unlink(missing_ok=True)
    click.echo(f"written: {out}, after {training.seconds / 60:.1f} minutes of training")
    return 0


def is_finished(out: Path, record: Path, settings: dict) -> bool:
    """Whether the file is there; ValueError where it was made with other options."""
    if not out.exists():
        return False
    if not record.is_file() or read_json(record).get("settings") != settings:
        raise ValueError(f"{out} was made with other options; delete it or choose another --out")
    return True


def report(training: Training, other) -> None:
    """Print how well the network classifies the images held out."""
    loss, precision = held_out(training.net, *other)
    chance = np.mean([share for share in other[1].mean(0) if share > 0])
    scores = f"loss {loss:.4f}, mAP {100 * precision:.1f} % (chance {100 * chance:.1f} %)"
    click.echo(f"held out, step {training.step}: {scores}")


if __name__ == "__main__":
    command()
