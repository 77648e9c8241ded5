#!/usr/bin/env python3
"""Convert a checkpoint that was trained with MinkowskiEngine: the WSegPC authors', or a Mink U-Net.

    python tools/convert_minkowski.py IN.pth.tar exp/authors/model/model_last.pth

Prints the backbone's config. OUT has the layout of a Pointcept checkpoint: a stage one for
configs/scannet/wsegpc-cmg-rpc.py (tools/export.py), a segmentation network for
configs/scannet/stage2-minkunet18a.py (scripts/test.sh, tools/predict.py). See
pointcept_wsegpc/models/minkowski_weights.py for what the conversion relies on.
"""

import argparse
from pathlib import Path

import torch

from pointcept_wsegpc import host
from pointcept_wsegpc.commands import errors
from pointcept_wsegpc.files import atomic_path


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("input", type=Path, metavar="IN", help="checkpoint of MinkowskiEngine")
    parser.add_argument("output", type=Path, metavar="OUT", help="file to write")
    parser.add_argument(
        "--trust",
        action="store_true",
        help="unpickle whatever else IN holds, such as a training's settings; that runs code of "
        "the file, so only for files whose source you trust",
    )
    return parser.parse_args()


def read(path, trust):
    if not path.is_file():
        raise FileNotFoundError(f"{path} is no file; expected a checkpoint (model_best.pth.tar)")
    try:
        return torch.load(path, map_location="cpu", weights_only=not trust)
    except Exception as error:  # what a foreign file raises depends on its first bytes
        hint = "" if trust else "; if it holds more than tensors and you trust it, pass --trust"
        reason = str(error).split("\n", 1)[0]
        raise ValueError(f"{path} cannot be read as a checkpoint ({reason:.120}){hint}") from error


def main():
    args = parse_arguments()
    host.ensure_pointcept(quiet=True)
    from pointcept_wsegpc.models.minkowski_weights import convert_checkpoint

    state, settings = convert_checkpoint(read(args.input, args.trust))
    with atomic_path(args.output) as temporary:
        torch.save({"state_dict": state, "epoch": 0}, temporary)
    given = ", ".join(f"{key}={value!r}" for key, value in settings.items())
    print(f'{args.output}: {len(state)} entries; backbone=dict(type="WSegPCMinkUNet", {given})')
    if "student.image_head.weight" in state:
        print("its 2D branch is not quite the authors': theirs has no activation in the stem")


if __name__ == "__main__":
    with errors.end_in_one_line("convert_minkowski"):
        main()
