#!/usr/bin/env python3
"""Convert data that others prepared into a data root, or pseudo-labels into a store.

    tools/convert_data.py wsegpc    --raw SRC --out ROOT --workers 8   # the official WSegPC folders
    tools/convert_data.py openscene --raw SRC --out ROOT    # BPNet, OpenScene: scannet_2d, _3d
    tools/convert_data.py concerto  --raw SRC --out ROOT    # Pointcept's images/
    tools/convert_data.py pseudo-labels DIR --data ROOT --out STORE

Nothing is written beside the source. Finished scenes are skipped, so an interrupted run is
continued by the same command. The layouts are described in docs/data.md.
"""

import argparse
import sys
from pathlib import Path

import preparing
from pointcept_wsegpc.commands.errors import end_in_one_line
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.scene import scene_dirs
from pointcept_wsegpc.labels.official import convert_pseudo_labels

FORMATS = ("wsegpc", "openscene", "concerto")


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    labels = parser.add_subparsers(required=True, metavar="FORMAT").add_parser("pseudo-labels")
    labels.add_argument("source", help="folder of SCENE.npz files")
    labels.add_argument("--data", required=True, help="data root with the converted scenes")
    labels.add_argument("--out", required=True, help="store to write")
    labels.add_argument("--split", nargs="+", default=["train"], help="default: train")
    labels.add_argument("--key", default="pred_label", help="array in the files")
    return parser.parse_args()


def convert_labels(args):
    from tqdm import tqdm

    scenes = {path.name: path for path in scene_dirs(args.data, args.split)}
    table = ClassTable.read(args.data)
    with tqdm(total=len(scenes), desc="convert", unit="scene") as bar:
        manifest = convert_pseudo_labels(
            args.source, args.out, table, scenes, args.key, lambda _: bar.update()
        )
    print(f"{len(manifest['scenes'])} scenes, {manifest['coverage']:.1%} of their points labelled")
    for value in manifest["quality"].get("miou", {}).values():
        print(f"mIoU of the points against the labels of the scenes: {100 * value:.1f} %")
    print(f"pseudo-labels: {Path(args.out).expanduser().resolve()}")
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in FORMATS:
        sys.exit(preparing.main(sys.argv[1], "convert_data", __doc__, sys.argv[2:]))
    with end_in_one_line("convert_data"):
        sys.exit(convert_labels(parse_arguments()))
