#!/usr/bin/env python3
"""Run the rows of a table on a data set and write Markdown, LaTeX, JSON and a picture.

    tools/ablation.py components --dataset synthetic --seeds 3
    tools/ablation.py thresholds --dataset synthetic --seeds 1 --rows "region-point, *, 0.8"
    tools/ablation.py partitions --list

Run it again to continue where it stopped. Trainings that rows or tables share run once; one that
fails is listed, and all that do not need it go on. --write-only writes what has finished so far.
With some rows, other options, or fewer seeds than the table that is there, it is written as
TABLE-partial beside that; with --out, under its own name.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import importlib.util
import json
import shlex
import sys
from pathlib import Path

from ablations import figure, rooms, writers
from ablations.benchmarks import BENCHMARKS, Benchmark
from ablations.data import check_data
from ablations.results import collect, finished_seeds
from ablations.rows import Table
from ablations.runner import Runner, gpus, side_by_side
from ablations.study import Study
from ablations.tables import TABLES
from argument_types import positive
from key_value import key_value
from main_job.plan import REPOSITORY, num_cores, relative
from main_job.process import interrupt_at_sigterm
from pointcept_wsegpc import host
from pointcept_wsegpc.files import read_json


def parse_arguments(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--dataset", choices=BENCHMARKS, default="synthetic")
    parser.add_argument("--seeds", type=positive, default=3, help="how many, from 0 (default 3)")
    parser.add_argument("--rows", nargs="+", metavar="LABEL", help="only these; * and ? match")
    parser.add_argument(
        "--workers", type=positive,
        help="jobs at a time; default: one per GPU, or one per core, with one thread each",
    )  # fmt: skip
    parser.add_argument(
        "--options", nargs="+", type=key_value, default=[], metavar="KEY=VALUE",
        help="differences of stage one's configuration in every row",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="default docs/results/<dataset>")
    parser.add_argument(
        "--exp", type=Path, help="of the trainings; default exp/ablation/<data root>"
    )
    parser.add_argument("--list", action="store_true", help="say what the rows are, run nothing")
    parser.add_argument("--write-only", action="store_true", help="write what is finished")
    args = parser.parse_args(arguments)
    exp = args.exp or REPOSITORY / "exp" / BENCHMARKS[args.dataset].exp
    args.exp = exp.expanduser().resolve()
    return args


def recorded(args) -> str:
    """The command that makes the same table, wherever things are."""
    words = ["tools/ablation.py", args.table, "--dataset", args.dataset, "--seeds", args.seeds]
    if args.rows:
        words += ["--rows", *args.rows]
    if args.options:
        words += ["--options", *(f"{key}={as_text(value)}" for key, value in args.options)]
    return shlex.join(map(str, words))


def as_text(value) -> str:
    """What `key_value` reads as this value."""
    bare = isinstance(value, str) and key_value(f"key={value}")[1] == value
    return value if bare else repr(value)


def place(args, table: Table, finished: dict[str, list[int]]) -> tuple[Path, Table]:
    """Where a table is written; under another name if it is less than what is, or belongs, there.

    finished: the seeds of each row that have results.
    """
    if args.out:
        return args.out, table
    out = REPOSITORY / "docs/results" / args.dataset
    there = out / f"{table.name}.json"
    rows = read_json(there)["rows"] if there.is_file() else []
    fewer = any(set(row["seeds"]) - set(finished.get(row["label"], ())) for row in rows)
    if args.rows or args.options or fewer:
        table = dataclasses.replace(table, name=f"{table.name}-partial")
    return out, table


def run_table(study: Study, table: Table, seeds, exp: Path, workers=None, say=print):
    """Run all jobs of a table; {job name: line} of those that failed."""
    check_data(study.benchmark, table)
    jobs = {}
    for seed in seeds:  # seed by seed: the whole table is there early, with a single one
        for row in table.rows:
            for job in study.jobs(row, seed).values():
                jobs.setdefault(job.name, job)
    devices = gpus()
    runner = Runner(exp, workers or side_by_side(devices), devices, say)
    runner.run(list(jobs.values()))
    return runner.failed


def write_table(study: Study, table: Table, seeds, exp: Path, out: Path, failed, command):
    """Write what has finished; the paths written."""
    engine = host.ensure_pointcept(quiet=True)  # named without its folder: the file is published
    where = f"{engine.name} {engine.version}; {machine()}"
    about = {"command": command, "where": where}
    result = collect(study, table, seeds, exp, failed, **about)
    paths = writers.write(result, out)
    bars, labelled = out / f"{table.name}.png", out / f"{table.name}-rooms.png"
    if importlib.util.find_spec("matplotlib") is None:  # as in some of Pointcept's environments
        print("no pictures, for matplotlib is not there; pip install matplotlib, then --write-only")
        return paths
    figure.draw(result, bars)
    drawn = rooms.draw(study, table, seeds, exp, labelled)
    return [*paths, bars, *([labelled] if drawn else [])]


def machine() -> str:
    import torch

    devices = gpus()
    return f"{len(devices)} x {torch.cuda.get_device_name()}" if devices else f"{num_cores()} cores"


def describe(table: Table, benchmark: Benchmark) -> list[str]:
    lines = [f"{table.title}; {benchmark.title}: {benchmark.second} and these differences"]
    for row in table.rows:
        own = {**row.both, **row.second}
        own.update({"regions": row.partition} if row.partition else {})
        own.update({"stage two on": row.stage_two} if row.stage_two else {})
        lines.append(f"  {row.label}: " + (json.dumps(own, ensure_ascii=False) if own else "none"))
    return lines


def main(arguments=None) -> int:
    args = parse_arguments(arguments)
    say = functools.partial(print, flush=True)
    benchmark = BENCHMARKS[args.dataset]
    changed = {**benchmark.stage_one, **dict(args.options)}
    benchmark = dataclasses.replace(benchmark, stage_one=changed)
    table = TABLES[args.table](benchmark)
    if args.rows:
        table = table.select(args.rows)
    if args.list:
        say("\n".join(describe(table, benchmark)))
        return 0
    study, seeds, failed = Study(benchmark), range(args.seeds), {}  # one: it reads all data once
    if not args.write_only:
        failed = run_table(study, table, seeds, args.exp, args.workers, say)
    finished = finished_seeds(study, table, seeds, args.exp)
    if not failed and not any(finished.values()):
        raise ValueError(f"no row of {table.name} has finished in {args.exp}; run it first")
    out, table = place(args, table, finished)
    for path in write_table(study, table, seeds, args.exp, out, failed, recorded(args)):
        say(f"written: {relative(path)}")
    say((out / f"{table.name}.md").read_text(encoding="utf-8"))
    return 1 if failed else 0


if __name__ == "__main__":
    interrupt_at_sigterm()
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        sys.exit(f"ablation: {error}")
    except KeyboardInterrupt:
        sys.exit("\nablation: interrupted; the same command goes on")
