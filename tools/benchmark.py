#!/usr/bin/env python3
"""Time ours beside a plain textbook version of the same work, in one process.

    tools/benchmark.py                        # every case, one thread
    tools/benchmark.py --only rpc_2d --threads 2 --json rpc.json

Times are the shortest of --repeat calls taken in turn. Memory is what one call adds to that of its
inputs, at its peak, each in a process of its own. The plain region growing runs in Python on a part
of the points, and its time is scaled up by their number (*).
"""

import argparse
import functools
import json
import logging
import os
import sys
import tempfile
from pathlib import Path

NAMES = ("sample", "rpc_3d", "rpc_2d", "guidance", "ema", "regions_3d", "regions_2d", "export")
DEFAULT_CACHE = Path(tempfile.gettempdir()) / "wsegpc-benchmark"


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME",
                        help=f"of {', '.join(NAMES)}")  # fmt: skip
    parser.add_argument("--threads", type=int, default=1, help="of both versions (default 1)")
    parser.add_argument("--repeat", type=int, default=5, help="calls of each version (default 5)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE,
                        help="folder of the synthetic scene (default %(default)s)")  # fmt: skip
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    return parser.parse_args()


def limit_threads(count):
    """Before numpy and torch are imported: that is when their libraries read it."""
    for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ[f"{library}_NUM_THREADS"] = str(count)


def run(args):
    """{machine, rows} of the cases asked for; a row is a dict of numbers."""
    import torch
    from tqdm import tqdm

    from benchmarks import inputs, measure
    from benchmarks.cases import CASES

    args.cache.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    sizes = inputs.QUICK if args.quick else inputs.Sizes()
    inputs.prepared_scene(args.cache, sizes)
    builders = {name: functools.partial(CASES[name], sizes, args.cache) for name in args.only}
    # First all memory: a child must be forked before this process has started any thread.
    memory = {
        name: [measure.peak_memory(build, which) for which in ("ours", "textbook")]
        for name, build in tqdm(builders.items(), desc="memory", leave=False)
    }
    rows = []
    for name, build in tqdm(builders.items(), desc="time", leave=False):
        case = build()
        ours, textbook = measure.best_times([case.ours, case.textbook], args.repeat)
        rows.append(
            {
                "name": name,
                "work": case.work,
                "seconds": ours / case.calls,
                "textbook_seconds": textbook / case.calls * case.parts,
                "textbook_parts": case.parts,
                "bytes": memory[name][0],
                "textbook_bytes": memory[name][1],
            }
        )
    return {"machine": measure.describe_machine(), "repeat": args.repeat, "rows": rows}


def table(report):
    """The report as text, one line per case."""
    lines = [
        f"{'case':12}{'work':44}{'ours':>10}{'textbook':>11}{'faster':>9}"
        f"{'ours':>10}{'textbook':>10}{'share':>7}"
    ]
    for row in report["rows"]:
        ours, textbook = row["seconds"], row["textbook_seconds"]
        scaled = "*" if row["textbook_parts"] != 1 else " "
        lines.append(
            f"{row['name']:12}{row['work']:44}{ours:>8.4f} s{textbook:>8.4f} s{scaled}"
            f"{textbook / ours:>7.1f} x{memory_text(row)}"
        )
    machine = ", ".join(f"{key} {value}" for key, value in report["machine"].items())
    return "\n".join([*lines, f"shortest of {report['repeat']}; {machine}"])


def memory_text(row):
    ours, textbook = row["bytes"], row["textbook_bytes"]
    if ours is None or row["textbook_parts"] != 1:  # a part of the work says nothing of the whole
        return ""
    share = f"{ours / textbook:>6.0%}" if textbook else ""
    return f"{ours / 2**20:>6.0f} MiB{textbook / 2**20:>6.0f} MiB{share}"


def main():
    args = parse_arguments()
    limit_threads(args.threads)
    logging.basicConfig(level=logging.WARNING)
    report = run(args)
    print(table(report))
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
