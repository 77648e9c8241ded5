#!/usr/bin/env python3
"""Time ours beside another version of the same work, in one process.

    tools/studies/benchmark.py                        # every case, one thread
    tools/studies/benchmark.py --only rpc_2d --threads 2 --json rpc.json

The other version is a plain textbook one; for regions_cgal_* it is CGAL's (pip install cgal), for
regions_growth ours with fewer points. Times are the shortest of --repeat calls taken in turn.
Memory is what one call adds to that of its inputs, at its peak, each in a process of its own. Where
the other version does a part of the work, its time is scaled up (*).
"""

import argparse
import functools
import json
import logging
import os
import sys
import tempfile
from pathlib import Path

CACHE = Path(tempfile.gettempdir()) / "wsegpc-benchmark"


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="cases; default: all")
    parser.add_argument("--threads", type=int, default=1, help="of both versions (default 1)")
    parser.add_argument("--repeat", type=int, default=5, help="calls of each version (default 5)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument(
        "--cache", type=Path, default=CACHE, help="folder of the scene (%(default)s)"
    )
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
    if unknown := set(args.only or ()) - set(CASES):
        sys.exit(f"--only {unknown.pop()}: no such case; choose from {', '.join(CASES)}")
    names = args.only or CASES
    builders = {name: functools.partial(CASES[name], sizes, args.cache) for name in names}
    # First all memory: a child must be forked before this process has started any thread.
    memory = {
        name: [measure.peak_memory(build, which) for which in ("ours", "other")]
        for name, build in tqdm(builders.items(), desc="memory", leave=False)
    }
    rows = []
    for name, build in tqdm(builders.items(), desc="time", leave=False):
        case = build()
        calls = [case.ours] if case.other is None else [case.ours, case.other]
        ours, *other = measure.best_times(calls, args.repeat)
        row = {
            "name": name,
            "work": case.work,
            "seconds": ours / case.calls,
            "other_seconds": other[0] / case.calls * case.parts if other else None,
            "other_parts": case.parts,
            "bytes": memory[name][0],
            "other_bytes": memory[name][1],
        }
        if case.findings:
            row |= case.findings(row, args.repeat)
        rows.append(row)
    return {"machine": measure.describe_machine(), "repeat": args.repeat, "rows": rows}


def table(report):
    """The report as text, one line per case, then the lines that some have to add."""
    lines = [
        f"{'case':18}{'work':44}{'ours':>10}{'other':>11}{'faster':>9}"
        f"{'ours':>10}{'other':>10}{'share':>7}"
    ]
    for row in report["rows"]:
        lines.append(
            f"{row['name']:18}{row['work']:44}{row['seconds']:>8.4f} s"
            f"{time_text(row)}{memory_text(row)}"
        )
    lines += [f"{row['name']}: {row['summary']}" for row in report["rows"] if "summary" in row]
    machine = ", ".join(f"{key} {value}" for key, value in report["machine"].items())
    return "\n".join([*lines, f"shortest of {report['repeat']}; {machine}"])


def time_text(row):
    other = row["other_seconds"]
    if other is None:
        return f"{'not installed':>20}"
    scaled = "*" if row["other_parts"] != 1 else " "
    return f"{other:>8.4f} s{scaled}{other / row['seconds']:>7.1f} x"


def memory_text(row):
    ours, other = row["bytes"], row["other_bytes"]
    if ours is None or other is None or row["other_parts"] != 1:
        return ""  # a part of the work says nothing of the whole
    share = f"{ours / other:>6.0%}" if other else ""
    return f"{ours / 2**20:>6.0f} MiB{other / 2**20:>6.0f} MiB{share}"


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
