"""Prepares the captures of one kind; its options are those of the kind's settings class."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import logging
import shutil
import sys
import typing
from collections.abc import Callable
from pathlib import Path

from argument_types import size
from pointcept_wsegpc import captures  # noqa: F401  registers them
from pointcept_wsegpc.captures.base import (
    CAPTURES,
    choices_of,
    estimate_bytes,
    find_captures,
    prepare,
)
from pointcept_wsegpc.commands.errors import end_in_one_line
from pointcept_wsegpc.contracts.scene import MANIFEST, is_prepared
from pointcept_wsegpc.contracts.tags import assemble_tags
from pointcept_wsegpc.files import read_json
from pointcept_wsegpc.jobs.scenes import add_job_arguments, run_jobs, take_shard

GIB = 2**30


def add_settings(parser: argparse.ArgumentParser, cls: type) -> None:
    """An option for every field of a settings class; --size for height and width."""
    types, defaults = typing.get_type_hints(cls), cls()
    parser.add_argument(
        "--size", type=size, default=defaults.size, metavar="WxH", help="stored size in pixels"
    )
    for field in dataclasses.fields(cls):
        if not field.init or field.name in ("height", "width"):
            continue
        kind, value = types[field.name], getattr(defaults, field.name)
        kind = next(k for k in (*typing.get_args(kind), kind) if isinstance(k, type))
        options = {"default": value, "help": f"{field.metadata['help']} (default {value})"}
        if (choices := choices_of(field)) and not isinstance(value, tuple):
            options |= {"default": next(w for w, v in choices.items() if v == value)}
            options["choices"] = list(choices)
        elif kind is bool:
            options["action"] = argparse.BooleanOptionalAction
        else:
            options |= {"type": kind, "metavar": field.metadata.get("metavar")}
            options |= {"nargs": "+"} if isinstance(value, tuple) else {}
        parser.add_argument(f"--{field.name.replace('_', '-')}", **options)


def settings_of(args: argparse.Namespace, cls: type):
    """The settings that the options of `add_settings` give."""
    values = {"height": args.size[0], "width": args.size[1]}
    for field in dataclasses.fields(cls):
        if field.init and field.name not in values:
            value, choices = getattr(args, field.name), choices_of(field)
            value = tuple(value) if isinstance(value, list) else value
            values[field.name] = choices[value] if choices and value in choices else value
    return cls(**values)


def check_space(needed: int, root: Path, what: str) -> None:
    """Print the bytes that `what` will take; OSError where the disk has less."""
    existing = next(path for path in (root, *root.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    print(f"{what} to prepare, about {needed / GIB:.2f} GiB; {free / GIB:.1f} free")
    if needed > free:
        raise OSError(
            f"{root} needs about {needed / GIB:.1f} GiB, the disk has {free / GIB:.1f}; "
            "free some, or prepare less with --split, --stride or --size"
        )


def run(kind: str, args: argparse.Namespace) -> int:
    """Find, prepare, report; the exit status."""
    cls, root = CAPTURES.get(kind), Path(args.out).expanduser().resolve()
    settings = settings_of(args, cls.settings)
    found = find_captures(kind, args.raw, root, settings)
    print("\n".join(cls.begin(Path(args.raw).expanduser().resolve(), root, found)), end="")
    jobs = {capture.key: capture for capture in found}
    done: Callable = functools.partial(is_prepared, settings=settings)
    todo = [c for c in (jobs[key] for key in take_shard(sorted(jobs), args.shard)) if not done(c)]
    check_space(estimate_bytes(todo, settings), root, f"{len(todo)} scenes")
    outcome = run_jobs(
        functools.partial(prepare, settings=settings),
        jobs,
        workers=args.workers,
        shard=args.shard,
        is_done=done,
        title="prepare",
    )
    mine = [jobs[key] for key in sorted([*outcome.done, *outcome.skipped])]
    print(outcome.summary())
    prepared = [(capture, read_json(capture.target / MANIFEST)) for capture in mine]
    print("\n".join(cls.report(prepared)))
    if cls.classes:
        derive_scene_tags(root)
    print(f"prepared data: {root}")
    return outcome.exit_status


def derive_scene_tags(root: Path) -> None:
    """Complete the tags file from the scenes' point labels, and say so."""
    path, added, differing = assemble_tags(root)
    print(f"tags of {added} scenes added to {path}")
    if differing:
        print(
            f"  {len(differing)} scenes keep tags that differ from their point labels "
            f"({', '.join(differing[:5])}); delete the file to derive all again"
        )


def main(kind: str, tool: str, doc: str, arguments: list[str] | None = None) -> int:
    """The command line of a tool that prepares captures of one kind."""
    cls = CAPTURES.get(kind)
    parser = argparse.ArgumentParser(
        prog=tool, description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--raw", help=f"folder of the raw data: {cls.layout}")
    parser.add_argument("--out", help="data root to write; outside the raw data")
    if cls.template:
        parser.add_argument("--template", metavar="DIR", help="write an example into DIR, and end")
    add_settings(parser, cls.settings)
    add_job_arguments(parser)
    args = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
    try:
        with end_in_one_line(tool):
            if getattr(args, "template", None):
                print(f"template written; read {cls.template(args.template)}")
                return 0
            if not (args.raw and args.out):
                parser.error("give --raw and --out" + ", or --template DIR" * bool(cls.template))
            return run(kind, args)
    except KeyboardInterrupt:
        sys.exit(f"{tool}: interrupted; the same command goes on")
