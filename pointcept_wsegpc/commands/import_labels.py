"""`wsegpc import-labels`: pseudo-labels of the official WSegPC code as a label store."""

from __future__ import annotations

import click
from tqdm import tqdm

from ..contracts.classes import ClassTable
from ..contracts.scene import scene_dirs, scenes_by_key
from ..labels.official import convert_pseudo_labels
from .arguments import PATH, data_root, split_option, subcommand

EXAMPLES = "wsegpc import-labels data/scannet_wsegpc --raw pseudo_labels --store exp/their_labels"


@subcommand("import-labels", EXAMPLES)
@data_root
@click.option("--raw", type=PATH, required=True, help="Folder of SCENE.npz files.")
@click.option("--store", type=PATH, required=True, help="Label store to write.")
@split_option(default=["train"], help="Splits that the labels are of.")
@click.option("--key", default="pred_label", help="Array in the files.")
def command(data_root, raw, store, split, key):
    """Turn pseudo-labels made elsewhere into a label store that stage two reads.

    Nothing is written beside the source. The layout is described in docs/data.md.
    """
    root = data_root.resolve()
    scenes = scenes_by_key(scene_dirs(root, split), root)
    with tqdm(total=len(scenes), desc="convert", unit="scene") as bar:
        manifest = convert_pseudo_labels(
            raw, store, ClassTable.read(data_root), scenes, key, lambda _: bar.update()
        )
    labeled = f"{manifest['coverage']:.1%} of their points labeled"
    click.echo(f"{len(manifest['scenes'])} scenes, {labeled}")
    for value in manifest["quality"].get("miou", {}).values():
        click.echo(f"mIoU of the points against the labels of the scenes: {100 * value:.1f} %")
    click.echo(f"pseudo-labels: {store}")
