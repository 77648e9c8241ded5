#!/usr/bin/env python3
"""Labels as .ply files in the classes' colours, on every point as it was scanned, for any viewer.

    tools/export_ply.py data/scans exp/scans/wsegpc-cmg-rpc/pseudo_labels --out exp/scans/ply

Works with pseudo-labels and with the output of tools/predict.py, for scenes of any origin. A file
has the properties label (-1: none) and, of pseudo-labels, confidence; its header names the classes.
Points, faces and coordinates are those of the scan where it is still there and labels lead back to
it, else those of the prepared scene.
"""

import argparse
import functools
import sys
from pathlib import Path

from pointcept_wsegpc.contracts.classes import CLASSES_FILE, ClassTable, given_table
from pointcept_wsegpc.contracts.scene import scene_dirs
from pointcept_wsegpc.jobs.scenes import add_job_arguments, run_jobs
from pointcept_wsegpc.visualize.ply import write_labelled


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="data root of the prepared scenes")
    parser.add_argument("store", type=Path, help="folder with the labels, SCENE.npz")
    parser.add_argument("--out", type=Path, required=True, help="folder to write SCENE.ply into")
    parser.add_argument(
        "--names", help=f"class table: a shipped one, or a file (default ROOT/{CLASSES_FILE})"
    )
    add_job_arguments(parser)
    return parser.parse_args()


def find_labelled(root, store):
    """{scene: (its folder, its labels)} of all scenes that have labels."""
    splits = sorted(path.name for path in root.glob("*/") if not path.name.startswith("."))
    pairs = {
        scene.name: (scene, store / f"{scene.name}.npz")
        for scene in scene_dirs(root, splits or "train")
    }
    labelled = {name: pair for name, pair in pairs.items() if pair[1].is_file()}
    if not labelled:
        raise FileNotFoundError(
            f"no label of a scene of {root} in {store}; write them with tools/export.py, "
            "tools/predict.py or tools/train_folder.py"
        )
    return labelled


def main():
    args = parse_arguments()
    root, store = (path.expanduser().resolve() for path in (args.root, args.store))
    table = given_table(args.names) if args.names else ClassTable.read(root)
    jobs = find_labelled(root, store)
    out = args.out.expanduser().resolve()
    outcome = run_jobs(
        functools.partial(write_labelled, table=table, out=out),
        jobs,
        workers=args.workers,
        shard=args.shard,
        scheduler=args.scheduler,
        title="write",
    )
    print(outcome.summary())
    for name, note in sorted(outcome.done.items()):
        if note:
            print(f"  {name}: {note}")
    print(f"labelled scans: {out}")
    return outcome.exit_status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        sys.exit(f"export_ply: {error}")
    except KeyboardInterrupt:
        sys.exit("export_ply: interrupted; the same command writes all again")
