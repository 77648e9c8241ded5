#!/usr/bin/env python3
"""Pre-train the image network on rendered images of other rooms and of single objects.

    tools/studies/pretrain_images.py --out exp/pretrained/resnet18.pth --workers 2

    # ResNet-50 for views of 320x240, as configs/scannet has them; on a GPU
    tools/studies/pretrain_images.py --out exp/pretrained/resnet50.pth --network resnet50 \\
        --num-stages 0 --size 320x240 --workers 16

The labels are those of whole images: which classes one shows. The rooms share no seed with any
scan. In a configuration: model.image_encoder.weights=FILE. An interrupted run is continued by the
same command; images are rendered again, never stored. It trains on a GPU where there is one; on
a CPU equal options give equal weights.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import numpy as np
import torch

from arguments import positive, positive_number, size
from pointcept_wsegpc import __version__
from pointcept_wsegpc.captures.scannet.raw import TABLE
from pointcept_wsegpc.files import atomic_path, read_json, write_json
from pretraining.images import render_set, room_seeds
from pretraining.training import TagNet, Training, held_out

HELD_OUT = 400  # images
WEIGHT_DECAY = 0.01


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", required=True, type=Path, help="file of weights to write")
    parser.add_argument(
        "--network", default="resnet18", help="of a timm network (default resnet18)"
    )
    parser.add_argument(
        "--num-stages", type=int, default=3,
        help="of the network, as its configuration has them (default 3); 0: all",
    )  # fmt: skip
    parser.add_argument("--steps", type=positive, default=2000, help="default 2000")
    parser.add_argument(
        "--minutes", type=positive_number, default=math.inf,
        help="end after so many of training, if that comes first; depends on the machine",
    )  # fmt: skip
    parser.add_argument("--num-images", type=positive, default=6000, help="default 6000")
    parser.add_argument("--size", type=size, default=(48, 64), metavar="WxH", help="64x48")
    parser.add_argument("--batch-size", type=positive, default=32, help="default 32")
    parser.add_argument("--lr", type=positive_number, default=0.001, help="default 0.001")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--workers", type=positive, default=1, help="processes that render (default 1)"
    )
    return parser.parse_args()


def describe(title, loss, precision, classes):
    chance = np.mean([share for share in classes.mean(0) if share > 0])
    return f"{title}: loss {loss:.4f}, mAP {100 * precision:.1f} % (chance {100 * chance:.1f} %)"


def is_finished(out, record, settings):
    """Whether the file is there; ValueError where it was made with other options."""
    if not out.exists():
        return False
    if not record.is_file() or read_json(record).get("settings") != settings:
        raise ValueError(f"{out} was made with other options; delete it or choose another --out")
    return True


def main() -> int:
    args = parse_arguments()
    train_seed, other_seed = room_seeds(args.seed)
    settings = {
        key: value for key, value in vars(args).items() if key not in ("out", "workers", "minutes")
    }
    settings = json.loads(json.dumps({**settings, "version": __version__}))  # as the record has it
    record = args.out.with_name(f"{args.out.name}.json")
    if is_finished(args.out, record, settings):
        print(f"{args.out} is finished, made with the same options")
        return 0
    torch.manual_seed(args.seed)
    net = TagNet(args.network, args.num_stages or None, len(TABLE))
    net.to("cuda" if torch.cuda.is_available() else "cpu")
    partial = args.out.with_name(f"{args.out.name}.unfinished")
    training = Training(net, partial, settings, args.lr, WEIGHT_DECAY)
    other = render_set(other_seed, HELD_OUT, args.size, args.workers)
    print(describe(f"held out, step {training.step}", *held_out(net, *other), other[1]))
    images = render_set(train_seed, args.num_images, args.size, args.workers)
    training.run(*images, args.steps, args.minutes, args.batch_size, args.seed)
    print(describe(f"held out, step {training.step}", *held_out(net, *other), other[1]))
    with atomic_path(args.out) as temporary:
        torch.save(net.cpu().encoder.network.state_dict(), temporary)
    write_json(record, {"settings": settings, "steps": training.step})
    partial.unlink(missing_ok=True)
    print(f"written: {args.out}, after {training.seconds / 60:.1f} minutes of training")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        sys.exit(f"pretrain_images: {error}")
    except KeyboardInterrupt:
        sys.exit("pretrain_images: interrupted; the same command goes on")
