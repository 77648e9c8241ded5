"""`wsegpc synthesize`: synthetic rooms in ScanNet's raw layout."""

from __future__ import annotations

import logging

import click

from ..synthetic.benchmark import SIZES
from ..synthetic.scans import SynthesisSettings, generate_dataset
from .arguments import COUNT, PATH, SIZE, subcommand
from .output import claim

LISTS = ("scannetv2_train.txt", "scannetv2_val.txt", "scannetv2-labels.combined.tsv")
EXAMPLES = "wsegpc synthesize --out data/synthetic_raw --num-train 24 --num-val 8"


@subcommand("synthesize", EXAMPLES)
@click.option("--out", type=PATH, required=True, help="Folder to write.")
@click.option("--num-train", type=click.IntRange(min=0), default=24, help="Training scenes.")
@click.option("--num-val", type=click.IntRange(min=0), default=8, help="Validation scenes.")
@click.option("--edition", type=click.Choice(sorted(SIZES)), help="Crowded rooms of SynthRooms.")
@click.option("--seed", type=int, help="Default: 0, or the edition's.")
@click.option("--points", type=COUNT, help="Mesh vertices per scene, about.")
@click.option("--frames", type=COUNT, help="Frames per scene.")
@click.option("--color-size", type=SIZE, help="Default: 216x162, or the edition's.")
@click.option("--depth-size", type=SIZE, help="Default: 160x120, or the edition's.")
@click.option("--workers", type=COUNT, default=2, help="Processes.")
def command(out, num_train, num_val, edition, workers, color_size, depth_size, **options):
    """Make synthetic rooms in ScanNet's raw layout; run it again to continue or to extend them."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if not (out / "synthetic.json").is_file():  # else it is ours, and checked
        claim(out, "synthesize", LISTS)
    sizes = {"color_size": color_size, "depth_size": depth_size}
    options |= {name: size and size[::-1] for name, size in sizes.items()}
    given = {name: value for name, value in options.items() if value is not None}
    settings = vars(SIZES[edition].scans if edition else SynthesisSettings())
    made = generate_dataset(out, num_train, num_val, workers=workers, **{**settings, **given})
    click.echo(f"{len(made)} scenes made, {num_train + num_val} in {out}")
