"""`wsegpc synthesize`: synthetic rooms in ScanNet's raw layout."""

from __future__ import annotations

import logging

import click

from ..synthetic.scans import generate_dataset
from .arguments import COUNT, PATH, SIZE, subcommand
from .output import claim

LISTS = ("scannetv2_train.txt", "scannetv2_val.txt", "scannetv2-labels.combined.tsv")
EXAMPLES = "wsegpc synthesize --out data/synthetic_raw --num-train 24 --num-val 8"


@subcommand("synthesize", EXAMPLES)
@click.option("--out", type=PATH, required=True, help="Folder to write.")
@click.option("--num-train", type=click.IntRange(min=0), default=24, help="Training scenes.")
@click.option("--num-val", type=click.IntRange(min=0), default=8, help="Validation scenes.")
@click.option("--seed", default=0)
@click.option("--points", type=COUNT, default=30_000, help="Mesh vertices per scene, about.")
@click.option("--frames", type=COUNT, default=40, help="Frames per scene.")
@click.option("--color-size", type=SIZE, default="216x162")
@click.option("--depth-size", type=SIZE, default="160x120")
@click.option("--workers", type=COUNT, default=2, help="Processes.")
def command(out, num_train, num_val, seed, points, frames, color_size, depth_size, workers):
    """Make synthetic rooms in ScanNet's raw layout; run it again to continue or to extend them."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if not (out / "synthetic.json").is_file():  # else it is ours, and checked
        claim(out, "synthesize", LISTS)
    sizes = {"color_size": color_size[::-1], "depth_size": depth_size[::-1]}
    counts = {"seed": seed, "points": points, "frames": frames}
    made = generate_dataset(out, num_train, num_val, workers=workers, **counts, **sizes)
    click.echo(f"{len(made)} scenes made, {num_train + num_val} in {out}")
