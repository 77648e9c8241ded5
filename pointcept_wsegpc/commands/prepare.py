"""`wsegpc prepare`: raw captures to prepared scenes; a sub-command for each kind of capture."""

from __future__ import annotations

import dataclasses
import functools
import logging
import shutil
import sys
import typing
from collections.abc import Iterator
from pathlib import Path

import click

from .. import captures  # noqa: F401  registers them
from ..captures.base import CAPTURES, Capture, ViewSettings, choices_of
from ..captures.preparing import estimate_bytes, find_captures, is_done, prepare
from ..contracts.prepared import check_root
from ..contracts.scene import MANIFEST
from ..contracts.tags import TAGS_FILE, assemble_tags
from ..files import read_json
from ..jobs.scenes import JobOptions
from .arguments import PATH, SIZE, Command, job_options
from .output import claim, make_folder

EXAMPLES = """
wsegpc prepare scannet --raw /data/scannet --out data/scannet_wsegpc --workers 16
wsegpc prepare scans --raw my_scans --out data/scans
"""


class Prepare(click.Group):
    """A sub-command for every registered capture."""

    def list_commands(self, ctx):
        return CAPTURES.names()

    def get_command(self, ctx, name):
        try:
            return capture_command(name)
        except ValueError as error:
            ctx.fail(str(error))

    def format_epilog(self, ctx, formatter):
        with formatter.section("Examples"):
            for line in EXAMPLES.strip().splitlines():
                formatter.write(f"  {line}\n")


@click.command("prepare", cls=Prepare)
def command():
    """Turn raw captures into prepared scenes: points, posed views, labels, tags.

    Finished scenes are skipped, so an interrupted run is continued by the same command. Nothing is
    written beside the raw data.
    """


def capture_command(kind: str) -> Command:
    """The sub-command that prepares captures of one kind; its options are those of its settings."""
    cls = CAPTURES.get(kind)

    @job_options
    def run(raw, out, template, replace, jobs, **options):
        if template:
            click.echo(f"template written; read {cls.template(template)}")
            return 0
        if not (raw and out):
            hint = ", or --template DIR" if cls.template else ""
            raise click.UsageError(f"give --raw and --out{hint}")
        return prepare_all(kind, raw, out, settings_of(cls.settings, options), jobs, replace)

    places = [
        click.Option(["--raw"], type=PATH, help=f"Folder of the raw data: {cls.layout}."),
        click.Option(["--out"], type=PATH, help="Data root to write; outside the raw data."),
        click.Option(
            ["--template"], type=PATH, hidden=cls.template is None, metavar="DIR",
            help="Write an example into DIR, then stop.",
        ),
        click.Option(
            ["--replace"], is_flag=True, help="Redo scenes that were made with other settings."
        ),
    ]  # fmt: skip
    jobs = list(reversed(run.__click_params__))
    help = f"Turn raw captures of the kind {kind} into prepared scenes. Expects {cls.layout}."
    example = f"wsegpc prepare {kind} --raw RAW --out DATA_ROOT --workers 8"
    params = [*places, *setting_options(cls.settings), *jobs]
    return Command(kind, params=params, callback=run, help=help, examples=example)


def setting_options(cls: type[ViewSettings]) -> Iterator[click.Option]:
    """An option for every field of a settings class; --size for height and width."""
    types, defaults = typing.get_type_hints(cls), cls()
    height, width = defaults.size
    yield click.Option(
        ["--size"], type=SIZE, default=f"{width}x{height}", help="Stored size in pixels."
    )
    for field in dataclasses.fields(cls):
        if not field.init or field.name in ("height", "width"):
            continue
        name, value = f"--{field.name.replace('_', '-')}", getattr(defaults, field.name)
        kind = types[field.name]
        kind = next(k for k in (*typing.get_args(kind), kind) if isinstance(k, type))
        more = {"default": value, "help": sentence(field.metadata["help"])}
        if (choices := choices_of(field)) is not None and not isinstance(value, tuple):
            more["default"] = next(word for word, v in choices.items() if v == value)
            more["type"] = click.Choice(list(choices))
        elif kind is bool:
            name = f"{name}/--no-{name[2:]}"
        else:
            more["type"] = PATH if issubclass(kind, Path) else kind
            more["metavar"] = field.metadata.get("metavar")
            if isinstance(value, tuple):
                more |= {"multiple": True, "metavar": "A [B …]"}
        yield click.Option([name], **more)


def sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def settings_of(cls: type[ViewSettings], options: dict) -> ViewSettings:
    """The settings that the options of `setting_options` give."""
    values = dict(zip(("height", "width"), options["size"], strict=True))
    for field in dataclasses.fields(cls):
        if field.init and field.name not in values:
            value, choices = options[field.name], choices_of(field)
            values[field.name] = choices[value] if choices and value in choices else value
    return cls(**values)


def prepare_all(
    kind: str,
    raw: Path,
    root: Path,
    settings: ViewSettings,
    jobs: JobOptions,
    replace: bool = False,
) -> int:
    """Find, prepare and report; returns the exit status."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
    cls: type[Capture] = CAPTURES.get(kind)
    found = find_captures(kind, raw, root, settings)
    make_folder(found[0].root, "--out")
    if not cls.classes and not any(root.glob(f"*/*/{MANIFEST}")):  # tags as raw data have them
        claim(root, f"prepare {kind}", [TAGS_FILE])
    check_root(found[0].root, kind, settings, replace)
    for line in cls.begin(raw, root, found):
        click.echo(line)
    scenes = {capture.key: capture for capture in found}
    done = functools.partial(is_done, settings=settings)
    todo = [scene for scene in (scenes[key] for key in jobs.share(scenes)) if not done(scene)]
    check_space(estimate_bytes(todo, settings), root, f"{len(todo)} scenes")
    prepare_one = functools.partial(prepare, settings=settings, skip=True)
    outcome = jobs.run(prepare_one, scenes, is_done=done, title="prepare")
    click.echo(outcome.summary())
    mine = [scenes[key] for key in sorted([*outcome.done, *outcome.skipped])]
    for line in cls.report([(scene, read_json(scene.target / MANIFEST)) for scene in mine]):
        click.echo(line)
    if cls.classes:
        derive_scene_tags(root)
    missing = len(outcome.failed)
    if mine:
        without = f", without what failed ({missing}), see above" if missing else ""
        click.echo(f"prepared data: {root}{without}")
    elif missing:
        click.echo(f"nothing is prepared in {root}: every scene failed, see above")
    return outcome.exit_status


def check_space(needed: int, root: Path, what: str) -> None:
    """Print the bytes that `what` will take; OSError if the disk is too small."""
    existing = next(path for path in (root, *root.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    click.echo(f"{what} to prepare, about {size_of(needed)}; {size_of(free)} free")
    if needed > free:
        raise OSError(
            f"{root} needs about {size_of(needed)}, its disk has {size_of(free)} free; "
            "free some, or prepare less with --split, --stride or --size"
        )


def size_of(count: int) -> str:
    """A number of bytes as people read it: '340 kB', '51.6 GB'."""
    power = min(max(len(str(int(count))) - 1, 0) // 3, 3)
    number = count / 1000**power
    return f"{number:.{int(power > 0 and number < 100)}f} {('bytes', 'kB', 'MB', 'GB')[power]}"


def derive_scene_tags(root: Path) -> None:
    """Complete the tags file from the scenes' point labels, and say so."""
    path, added, differing = assemble_tags(root)
    click.echo(f"tags of {added} scenes added to {path}")
    if differing:
        click.echo(
            f"  {len(differing)} scenes keep tags that differ from their point labels "
            f"({', '.join(differing[:5])}); delete the file to derive all again"
        )
