"""Output folders: a command overwrites and removes what it wrote there itself, and nothing else."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ..contracts.label_files import STORE_FILE
from ..contracts.label_store import LabelStore
from ..files import read_or_set_aside, write_json

LIST = ".wsegpc.json"  # in an output folder: names that commands wrote, and which command


def claim(folder: Path, command: str, names: Iterable[str]) -> None:
    """Note that `command` will write these files and folders, directly in `folder`.

    Raises FileExistsError where one is there and was never noted; then nothing has changed.
    """
    names = list(dict.fromkeys(names))
    noted = _noted(folder)
    foreign = [name for name in names if name not in noted and os.path.lexists(folder / name)]
    if foreign:
        raise FileExistsError(
            f"{folder} holds {foreign[0]}, which `wsegpc {command}` did not write; move it away or "
            "choose another folder"
        )
    if not noted.keys() >= set(names):
        write_json(folder / LIST, {**noted, **dict.fromkeys(names, command)})


def make_folder(folder: Path, option: str) -> None:
    """Make an output folder; ValueError, before all the work, where nothing can be written.

    option: how to name another.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ValueError(
            f"nothing can be written to {folder} ({error.strerror}); give another {option}"
        ) from error


def _noted(folder: Path) -> dict[str, str]:
    path = folder / LIST
    noted = None if path.is_symlink() else read_or_set_aside(path)
    if noted is None:
        return {}
    if not isinstance(noted, dict):
        raise ValueError(f"{path} is not a list of files that wsegpc wrote; move it away")
    return noted


def remove_training(folder: Path) -> None:
    """Remove what a training wrote into its folder: config, log, checkpoints, label store.

    Raises FileExistsError where something else is among the labels.
    """
    store = folder / "pseudo_labels"
    if (store / STORE_FILE).is_file():
        LabelStore.load(store).remove()
    for pattern in ("config.py", "train.log", "events.out.tfevents.*", "model/*.pth"):
        for path in folder.glob(pattern):
            path.unlink()
