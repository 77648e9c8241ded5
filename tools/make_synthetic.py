"""Makes a synthetic data set in ScanNet's raw layout. Run it again to continue or to extend it."""

import argparse
import logging
import sys

from argument_types import positive, size
from pointcept_wsegpc.synthetic.scans import generate_dataset


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--root", required=True, help="folder to write to")
    parser.add_argument("--train", type=int, default=24, help="training scenes")
    parser.add_argument("--val", type=int, default=8, help="validation scenes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--points", type=positive, default=30_000, help="mesh vertices per scene, about"
    )
    parser.add_argument("--frames", type=positive, default=40, help="frames per scene")
    parser.add_argument("--color-size", type=size, default="216x162", metavar="WxH")
    parser.add_argument("--depth-size", type=size, default="160x120", metavar="WxH")
    parser.add_argument("--workers", type=positive, default=2, help="processes")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    made = generate_dataset(
        args.root, args.train, args.val, args.seed, args.points, args.frames,
        args.color_size[::-1], args.depth_size[::-1], args.workers,
    )  # fmt: skip
    print(f"{len(made)} scenes made, {args.train + args.val} in {args.root}")


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"make_synthetic: {error}")
    except KeyboardInterrupt:
        sys.exit("make_synthetic: interrupted; the same command goes on")
