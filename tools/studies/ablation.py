#!/usr/bin/env python3
"""Run the rows of a table on a data set and write Markdown, LaTeX, JSON and a figure.

    tools/studies/ablation.py components --dataset synthetic --seeds 3
    tools/studies/ablation.py thresholds --dataset synthetic --seeds 1 --rows "region-point, *, 0.8"
    tools/studies/ablation.py partitions --list

Run it again to continue where it stopped. Trainings that rows or tables share run once; one that
fails is listed, and all that do not need it go on. --report-only writes what has finished so far;
where nothing has, it writes the table's files anew from its JSON. With some rows, other options, or
fewer seeds than the table that is there, it is written as TABLE-partial beside that; with --out,
under its own name.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import importlib.util
import json
import os
import shlex
import sys
from pathlib import Path

from ablations import figures, report
from ablations.benchmarks import BENCHMARKS, REPOSITORY, Benchmark
from ablations.data import check_data
from ablations.results import collect
from ablations.rows import Table
from ablations.runner import Runner, gpus
from ablations.study import Study
from ablations.tables import TABLES
from arguments import key_value, positive
from pointcept_wsegpc import host
from pointcept_wsegpc.commands.trainings import relative
from pointcept_wsegpc.files import read_json
from pointcept_wsegpc.jobs.process import interrupt_at_sigterm, num_cores


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("table", choices=TABLES)
    add("--dataset", choices=BENCHMARKS, default="synthetic")
    add("--seeds", type=positive, default=3, help="how many, from 0 (default 3)")
    add("--rows", nargs="+", metavar="LABEL", help="only these; * and ? match")
    add("--workers", type=positive, help="jobs at a time; default: one per GPU or per core")
    add("--options", nargs="+", type=key_value, default=[], metavar="KEY=VALUE",
        help="differences of stage one's configuration in every row")  # fmt: skip
    add("--out", type=Path, help="default docs/results/<dataset>")
    add("--work-dir", type=Path, help="of the trainings; default exp/ablation/<data root>")
    add("--list", action="store_true", help="say what the rows are, run nothing")
    add("--report-only", action="store_true", help="write what is finished, run nothing")
    args = parser.parse_args(arguments)
    work_dir = args.work_dir or REPOSITORY / "exp" / BENCHMARKS[args.dataset].exp
    args.work_dir = work_dir.expanduser().resolve()
    args.out = args.out and args.out.expanduser().resolve()
    return args


def recorded(args: argparse.Namespace) -> str:
    """The command that makes the same table, wherever things are."""
    words = ["tools/studies/ablation.py", args.table, "--dataset", args.dataset]
    words += ["--seeds", str(args.seeds)]
    words += ["--rows", *args.rows] if args.rows else []
    words += ["--options", *(f"{k}={v!r}" for k, v in args.options)] if args.options else []
    return shlex.join(words)


def place(args: argparse.Namespace, result: dict) -> tuple[Path, str]:
    """Folder and name of a table: another name if it is less than what is, or belongs, there."""
    if args.out:
        return args.out, args.table
    out = REPOSITORY / "docs/results" / args.dataset
    there = out / f"{args.table}.json"
    rows = read_json(there)["rows"] if there.is_file() else []
    found = {row["label"]: row["seeds"] for row in result["rows"]}
    fewer = any(set(row["seeds"]) - set(found.get(row["label"], ())) for row in rows)
    partial = args.rows or args.options or fewer
    return out, f"{args.table}-partial" if partial else args.table


def run_table(study: Study, table: Table, seeds, work_dir: Path, workers=None, say=print) -> Runner:
    """Run all jobs of a table; returns the Runner, which knows what failed."""
    check_data(study.benchmark, table)
    devices = gpus()
    runner = Runner(work_dir, workers or len(devices) or num_cores(), devices, say)
    # Seed by seed: the whole table is there early, with a single one.
    each = (study.jobs(row, seed) for seed in seeds for row in table.rows)
    runner.run([job for jobs in each for job in jobs.values()])
    return runner


def table_result(study: Study, table: Table, seeds, work_dir: Path, command: str, runner=None):
    """What has finished of a table, and what failed in the Runner, as one dictionary."""
    import torch

    engine = host.ensure_pointcept(quiet=True)  # named without its folder: the file is published
    gpu = f"{len(gpus())} x {torch.cuda.get_device_name()}" if gpus() else ""
    about = {"command": command, "where": f"{engine.name} {engine.version}; "}
    about["where"] += gpu or f"{num_cores()} cores"
    if runner is not None:
        about.update(failed=runner.failed, not_started=runner.not_started)
    return collect(study, table, seeds, work_dir, **about)


def write_table(result: dict, out: Path, *rooms) -> list[Path]:
    """Write a table and its figures; the paths written. rooms: study, table, seeds, work_dir."""
    paths = report.write(result, out)
    if importlib.util.find_spec("matplotlib") is None:  # as in some of Pointcept's environments
        print("no figures: matplotlib is not there; pip install matplotlib, then --report-only")
        return paths
    bars, labeled = (out / f"{result['table']}{end}.png" for end in ("", "-rooms"))
    figures.draw_bars(result, bars)
    drawn = rooms and figures.draw_rooms(*rooms, labeled)
    return [*paths, bars, *([labeled] if drawn else [])]


def describe(table: Table, benchmark: Benchmark) -> list[str]:
    lines = [f"{table.title}; {benchmark.title}: {benchmark.second} and these differences"]
    for row in table.rows:
        own = {**row.both, **row.second}
        own.update({"regions": row.partition} if row.partition else {})
        own.update({"stage two on": row.stage_two} if row.stage_two else {})
        lines.append(f"  {row.label}: " + (json.dumps(own, ensure_ascii=False) if own else "none"))
    return lines


def main(arguments: list[str] | None = None) -> int:
    args = parse_arguments(arguments)
    os.chdir(REPOSITORY)  # paths in jobs and results are seen from there
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
    study, seeds, runner = Study(benchmark), range(args.seeds), None  # one: it reads all data once
    if not args.report_only:
        runner = run_table(study, table, seeds, args.work_dir, args.workers, say)
    rooms = (study, table, seeds, args.work_dir)
    result = table_result(*rooms, recorded(args), runner)
    out, result["table"] = place(args, result)
    if not result["failures"] and not any(row["seeds"] for row in result["rows"]):
        stored = out / f"{result['table']}.json"
        if not stored.is_file():
            raise ValueError(
                f"no row of {table.name} has finished in {args.work_dir}; run it first"
            )
        result, rooms = read_json(stored), ()
    for path in write_table(result, out, *rooms):
        say(f"written: {relative(path)}")
    say((out / f"{result['table']}.md").read_text(encoding="utf-8"))
    return 1 if result["failures"] else 0


if __name__ == "__main__":
    interrupt_at_sigterm()
    try:
        sys.exit(main())
    except (OSError, ValueError) as error:
        sys.exit(f"ablation: {error}")
    except KeyboardInterrupt:
        sys.exit("\nablation: interrupted; the same command goes on")
