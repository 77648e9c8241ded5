"""Building blocks of the sub-commands' command lines: types, options, the command itself."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import click

from ..jobs.scenes import JobOptions, parse_shard
from . import INTERRUPTED
from .errors import end_in_one_line


class Parsed(click.ParamType):
    """What a function makes of the text; its ValueError is a wrong command line."""

    def __init__(self, name: str, parse: Callable):
        self.name, self.parse = name, parse

    def convert(self, value, param, ctx):
        try:
            return self.parse(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


def parse_size(text: str) -> tuple[int, int]:
    """'320x240' -> (240, 320): width and height in pixels -> (H, W)."""
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() and int(side) for side in sides):
        raise ValueError(f"{text!r}: expected WxH in pixels, such as 320x240")
    return int(sides[1]), int(sides[0])


def parse_key_value(text: str) -> tuple[str, str]:
    """'max_angle=15' -> ('max_angle', '15')."""
    key, separator, value = text.partition("=")
    if not separator:
        raise ValueError(f"{text!r}: expected KEY=VALUE, such as max_angle=15")
    return key, value


def parse_path(text: str) -> Path:
    """An absolute path; a leading ~ is the home folder. Symbolic links stay."""
    return Path(os.path.abspath(Path(text).expanduser()))


PATH, SIZE = Parsed("path", parse_path), Parsed("WxH", parse_size)
KEY_VALUE, SHARD = Parsed("KEY=VALUE", parse_key_value), Parsed("i/n", parse_shard)
COUNT, POSITIVE = click.IntRange(min=1), click.FloatRange(min=0, min_open=True)


class Command(click.Command):
    """A sub-command: its function returns the exit status; wrong input ends it in one line.

    examples: lines that --help shows as they are. resumes: what to tell a user who interrupted it.
    An option that may be repeated also takes several values after its name.
    """

    def __init__(self, *args, examples="", resumes="the same command goes on", **more):
        more["context_settings"] = {"show_default": True, "max_content_width": 100}
        super().__init__(*args, **more)
        self.examples, self.resumes = examples, resumes

    def format_epilog(self, ctx, formatter):
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples.strip("\n").splitlines():
                    formatter.write(f"  {line}\n")

    def parse_args(self, ctx, args):
        repeated = [option for option in self.params if getattr(option, "multiple", False)]
        return super().parse_args(ctx, spread(args, {n for o in repeated for n in o.opts}))

    def invoke(self, ctx):
        try:
            with end_in_one_line(self.name):
                status = super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo(f"\n{self.name}: interrupted; {self.resumes}", err=True)
            status = INTERRUPTED
        except SystemExit as end:  # with the line that says what was wrong
            click.echo(end.code, err=True)
            status = 1
        ctx.exit(status or 0)


def subcommand(name: str, examples: str, **more) -> Callable:
    """Make a function the sub-command of that name; its docstring is the help."""
    return click.command(name, cls=Command, examples=examples, **more)


def spread(arguments: Iterable[str], names: set[str]) -> list[str]:
    """`--split a b` as `--split a --split b`, for the options of these names."""
    result, option, first = [], None, False
    for word in arguments:
        if word.startswith("-"):
            option, first = (word if word in names else None), True
        elif option and not first:
            result.append(option)
        else:
            first = False
        result.append(word)
    return result


def job_options(function: Callable) -> Callable:
    """--workers, --shard and --scheduler, which the function gets as `jobs`, a JobOptions."""

    @functools.wraps(function)
    def with_jobs(*args, workers, shard, scheduler, **more):
        return function(*args, jobs=JobOptions(workers, shard, scheduler), **more)

    for option in (
        click.option(
            "--scheduler",
            metavar="ADDRESS|FILE",
            help="Work on the Dask cluster of this scheduler instead of on this machine.",
        ),
        click.option(
            "--shard",
            type=SHARD,
            default="1/1",
            show_default=False,
            help="Do the i-th of n equal shares of the scenes, i from 1; one per machine.",
        ),
        click.option("--workers", type=COUNT, default=1, help="Processes."),
    ):
        with_jobs = option(with_jobs)
    return with_jobs


def split_option(help: str = "Default: every split that is there.", **more) -> Callable:
    return click.option("--split", multiple=True, metavar="A [B …]", help=help, **more)


data_root = click.argument("data_root", type=PATH)  # of prepared scenes
