"""Where `configs/` lies, and what commands take from a config and its engine.

In a checkout and an editable install the configs are the folder beside the package; a wheel has
them inside the package. Nothing is ever written there.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from .. import cpu, host

PACKAGE = Path(__file__).resolve().parents[1]
LINK = Path("configs/wsegpc")  # in a Pointcept checkout, to our configs


def configs_folder() -> Path:
    """The folder of our configs, one folder a data set in it. FileNotFoundError without it."""
    for folder in (PACKAGE / "configs", PACKAGE.parent / "configs"):
        if (folder / "_base_" / "plugin.py").is_file():
            return folder
    raise FileNotFoundError(
        f"no configs in {PACKAGE} or beside it; install pointcept_wsegpc again, from its "
        "repository or a wheel"
    )


def find_config(name: str, engine: host.EngineInfo | None = None) -> Path:
    """A config by its path, or one of ours by its name, as quickstart/wsegpc-cmg.

    Where the engine is a Pointcept checkout with our link in it, a name is looked up there, so
    that what builds on Pointcept's own configs finds them. Raises FileNotFoundError in one line
    where there is no such config, or where one that it builds on is missing.
    """
    path = Path(name).expanduser()
    if not path.is_file():
        folders = [configs_folder()]
        if engine is not None and not engine.is_standin:
            folders.insert(0, engine.path / LINK)
        named = [folder / f"{name.removesuffix('.py')}.py" for folder in folders]
        path = next((file for file in named if file.is_file()), None)
    if path is None:
        raise FileNotFoundError(
            f"config {name} is no file, nor a name in {configs_folder()}; pass the config.py of a "
            "training or a name such as quickstart/wsegpc-cmg"
        )
    check_bases(path)
    return path


def check_bases(path: Path) -> None:
    """Raise FileNotFoundError where a config that this one builds on, at any depth, is missing."""
    for base in _bases(path):
        base = Path(os.path.abspath(path.parent / base))  # as mmengine does: links are not followed
        if not base.is_file():
            raise FileNotFoundError(
                f"config {path} builds on {base}, which is missing; where that is one of "
                f"Pointcept's own, run `wsegpc link POINTCEPT` and train in that folder"
            )
        check_bases(base)


def _bases(path: Path) -> list[str]:
    """The value of `_base_` in a config's text."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == "_base_" for target in targets):
            with contextlib.suppress(ValueError):
                value = ast.literal_eval(node.value)
                return [value] if isinstance(value, str) else list(value)
    return []


def start_engine() -> host.EngineInfo:
    """Make `import pointcept` work, without CUDA too, fill its registries, and say what it is."""
    import torch

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    engine = host.ensure_pointcept()
    if not engine.is_standin and not torch.cuda.is_available():
        cpu.patch()

    from .. import register  # noqa: F401

    return engine


def read_options(pairs: Iterable[str]) -> dict:
    """KEY=VALUE as Pointcept's --options takes them."""
    from pointcept.utils.config import DictAction

    parser = argparse.ArgumentParser(prog="--options")
    parser.add_argument("pairs", nargs="*", action=DictAction, default={})
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise ValueError(f"--options {wrong[0]}: expected KEY=VALUE, such as epoch=2")
    return parser.parse_args(list(pairs)).pairs if pairs else {}


def read_config(path: Path, options: dict | None = None):
    """The config in a file, with overrides {key: value}."""
    from pointcept.utils.config import Config

    cfg = Config.fromfile(str(path))
    cfg.merge_from_dict(options or {})
    return cfg


def load_checkpoint(model, weight: Path) -> None:
    """Load a checkpoint of a training, of which every entry must match."""
    from ..models.checkpoint import load_exactly, read_checkpoint, training_state

    checkpoint = read_checkpoint(weight)
    try:
        load_exactly(model, training_state(checkpoint))
    except ValueError as error:
        raise ValueError(f"{weight}: {error}") from error
