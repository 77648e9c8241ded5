#!/usr/bin/env python3
"""Run the rows of a table on a data set and write Markdown, LaTeX, JSON and figures."""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib.util
import json
import os
import shlex
from pathlib import Path

import click

from ablations import figures, report
from ablations.benchmarks import BENCHMARKS, REPOSITORY, Benchmark
from ablations.data import check_data
from ablations.results import collect
from ablations.rows import Table
from ablations.runner import Runner, gpus
from ablations.study import Study
from ablations.tables import TABLES
from pointcept_wsegpc import host
from pointcept_wsegpc.commands.arguments import COUNT, KEY_VALUE, PATH, subcommand
from pointcept_wsegpc.commands.trainings import relative
from pointcept_wsegpc.files import read_json
from pointcept_wsegpc.jobs.process import interrupt_at_sigterm, num_cores

SCRIPT = "tools/studies/ablation.py"
EXAMPLES = f"""
{SCRIPT} components --dataset synthetic --seeds 3
{SCRIPT} thresholds --seeds 1 --rows "region-point, *, 0.8"
{SCRIPT} partitions --list
"""


@subcommand("ablation", EXAMPLES)
@click.argument("table", type=click.Choice(list(TABLES)))
@click.option("--dataset", type=click.Choice(list(BENCHMARKS)), default="synthetic")
@click.option("--seeds", type=COUNT, default=3, help="How many, from 0.")
@click.option("--rows", multiple=True, metavar="LABEL …", help="Only these; * and ? match.")
@click.option("--workers", type=COUNT, help="Jobs at a time; default: one per GPU or core.")
@click.option("--options", type=KEY_VALUE, multiple=True, help="Differences of stage one's config.")
@click.option("--out", type=PATH, help="Default: docs/results/DATASET.")
@click.option("--work-dir", type=PATH, help="Of the trainings; default: exp/ablation/DATA_ROOT.")
@click.option("--list", "list_only", is_flag=True, help="Say what the rows are, run nothing.")
@click.option("--report-only", is_flag=True, help="Write what is finished, run nothing.")
def command(
    table, dataset, seeds, rows, workers, options, out, work_dir, list_only, report_only
) -> int:
    """Run the rows of a table on a data set and write Markdown, LaTeX, JSON and figures.

    Run it again to continue where it stopped. Trainings that rows or tables share run once; one
    that fails is listed, and all that do not need it go on. --report-only writes what has finished
    so far; where nothing has, it writes the table's files anew from its JSON. With some rows, other
    options, or fewer seeds than the table that is there, it is written as TABLE-partial beside
    that; with --out, under its own name.
    """
    os.chdir(REPOSITORY)  # paths in jobs and results are seen from there
    say = functools.partial(print, flush=True)
    changes = {key: literal(text) for key, text in options}
    benchmark = BENCHMARKS[dataset]
    benchmark = dataclasses.replace(benchmark, stage_one={**benchmark.stage_one, **changes})
    chosen = TABLES[table](benchmark)
    chosen = chosen.select(rows) if rows else chosen
    if list_only:
        say("\n".join(describe(chosen, benchmark)))
        return 0
    work_dir = work_dir or REPOSITORY / "exp" / benchmark.exp
    run = (Study(benchmark), chosen, range(seeds), work_dir)  # one study: it reads all data once
    runner = None if report_only else run_table(*run, workers, say)
    result = table_result(*run, recorded(table, dataset, seeds, rows, changes), runner)
    folder, result["table"] = place(result, dataset, out, partial=bool(rows or options))
    if is_empty(result):
        stored = folder / f"{result['table']}.json"
        if not stored.is_file():
            raise ValueError(f"no row of {table} has finished in {work_dir}; run it first")
        result, run = read_json(stored), ()
    for path in write_table(result, folder, *run):
        say(f"written: {relative(path)}")
    say((folder / f"{result['table']}.md").read_text(encoding="utf-8"))
    return 1 if result["failures"] else 0


def literal(text: str):
    """The Python value that a text is; what is none stays a string."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def recorded(table: str, dataset: str, seeds: int, rows=(), changes=None) -> str:
    """The command that makes the same table, wherever things are."""
    words = [SCRIPT, table, "--dataset", dataset, "--seeds", str(seeds)]
    words += ["--rows", *rows] if rows else []
    words += ["--options", *(f"{k}={v!r}" for k, v in changes.items())] if changes else []
    return shlex.join(words)


def is_empty(result: dict) -> bool:
    """Whether nothing has finished, nor failed."""
    return not result["failures"] and not any(row["seeds"] for row in result["rows"])


def place(result: dict, dataset: str, out: Path | None, partial: bool) -> tuple[Path, str]:
    """Folder and name of a table: another name if it is less than what is, or belongs, there."""
    if out:
        return out, result["table"]
    out = REPOSITORY / "docs/results" / dataset
    there = out / f"{result['table']}.json"
    rows = read_json(there)["rows"] if there.is_file() else []
    found = {row["label"]: row["seeds"] for row in result["rows"]}
    fewer = not is_empty(result) and any(
        set(row["seeds"]) - set(found.get(row["label"], ())) for row in rows
    )
    return out, f"{result['table']}-partial" if partial or fewer else result["table"]


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
    machine = f"{len(gpus())} x {torch.cuda.get_device_name()}" if gpus() else ""
    where = f"{engine.name} {engine.version}; {machine or f'{num_cores()} cores'}"
    problems = {"failed": runner.failed, "not_started": runner.not_started} if runner else {}
    return collect(study, table, seeds, work_dir, command=command, where=where, **problems)


def write_table(result: dict, out: Path, *run) -> list[Path]:
    """Write a table and its figures; the paths written. run: study, table, seeds, work_dir."""
    paths = report.write(result, out)
    if importlib.util.find_spec("matplotlib") is None:  # as in some of Pointcept's environments
        print("no figures: matplotlib is not there; pip install matplotlib, then --report-only")
        return paths
    bars, labeled = (out / f"{result['table']}{end}.png" for end in ("", "-rooms"))
    figures.draw_bars(result, bars)
    drawn = run and figures.draw_rooms(*run, labeled)
    return [*paths, bars, *([labeled] if drawn else [])]


def describe(table: Table, benchmark: Benchmark) -> list[str]:
    lines = [f"{table.title}; {benchmark.title}: {benchmark.second} and these differences"]
    for row in table.rows:
        own = {**row.both, **row.second}
        own |= {"regions": row.partition} if row.partition else {}
        own |= {"stage two on": row.stage_two} if row.stage_two else {}
        lines.append(f"  {row.label}: " + (json.dumps(own, ensure_ascii=False) if own else "none"))
    return lines


if __name__ == "__main__":
    interrupt_at_sigterm()
    command()
