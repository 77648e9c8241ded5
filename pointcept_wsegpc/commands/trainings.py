"""Trainings and the steps after them as child processes: command lines, and how to resume."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..jobs.steps import Steps, last_checkpoint
from .output import remove_training


def relative(path: Path) -> str:
    """The path relative to the current folder, where every command runs; short."""
    return os.path.relpath(path)


def wsegpc(name: str, **options) -> list[str]:
    """The command line of a sub-command with --key value for every option."""
    command = [sys.executable, "-m", "pointcept_wsegpc", name]
    for key, value in options.items():
        command += [f"--{key.replace('_', '-')}", str(value)]
    return command


def option_value(value):
    """The value; ValueError for text or a path that the parser of --options would not leave so."""
    if isinstance(value, str | Path) and set(str(value)) & set(" ,()[]{}'\"="):
        raise ValueError(
            f"{value}: options hold no path with spaces, commas, quotes, brackets or =; "
            "rename the folder or give another"
        )
    return value


def option_pairs(options: Mapping[str, object]) -> list[str]:
    """KEY=VALUE of each, as --options takes them; paths relative. Raises as `option_value` does."""
    values = {k: relative(v) if isinstance(v, Path) else v for k, v in options.items()}
    return [f"{key}={option_value(value)}" for key, value in values.items()]


def run_training(
    steps: Steps,
    run: Callable[..., None],
    title: str,
    config: str,
    folder: Path,
    options: Sequence[str],
    settings: object,
    **environment: str,
) -> None:
    """A step that trains a config into its folder; an interrupted one goes on.

    run: jobs.process.run with its threads. options: KEY=VALUE; settings: whatever else the result
    depends on. The log lies beside the folder.
    """
    options = [*options, *option_pairs({"save_path": folder})]

    def action(resume):
        more = option_pairs(resume_options(folder, resume))
        command = [*wsegpc("train", config_file=config), "--options", *options, *more]
        run(command, folder.with_name(f"{folder.name}.log"), **environment)

    steps.run(title, (config, options, settings), last_checkpoint(folder), action)


def export_labels(folder: Path, split: str, store: Path) -> list[str]:
    """The command that labels a split with the stage one trained into `folder`, without tags."""
    return [*_on_finished("export-labels", folder), "--store", relative(store), "--split", split,
            "--no-tags", "--replace"]  # fmt: skip


def predict_labels(folder: Path, split: str, out: Path) -> list[str]:
    """The command that labels a split with the stage two trained into `folder`."""
    return [*_on_finished("predict", folder), "--split", split, "--out", relative(out), "--replace"]


def _on_finished(name: str, folder: Path) -> list[str]:
    config, weight = folder / "config.py", last_checkpoint(folder)
    return wsegpc(name, config_file=relative(config), weight=relative(weight))


def resume_options(folder: Path, resume: bool) -> dict:
    """Settings by which a training goes on from its last checkpoint.

    {} where it has to start over: it is not to be resumed, or was ended before its first
    checkpoint. What an earlier attempt wrote is removed then.
    """
    last = last_checkpoint(folder)
    if resume and last.is_file():
        return {"resume": True, "weight": relative(last)}
    remove_training(folder)
    return {}
