"""Atomic files: a file is there whole or not at all, whenever the process is killed."""

from __future__ import annotations

import codecs
import contextlib
import errno
import json
import logging
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import FileError, reading, refusing

logger = logging.getLogger(__name__)

FULL = 2**16  # bytes; with fewer free, a write that failed did so for want of space


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[str]:
    """Yield a temporary path beside `path` that replaces it on success and vanishes on failure.

    What was written survives a power cut. Whatever a writer raises on a full disk is an OSError
    that says so.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix
    )
    os.close(handle)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes files that only the owner can read
        _flush(temporary)
        os.replace(temporary, path)
    except BaseException as error:
        full = isinstance(error, Exception) and shutil.disk_usage(path.parent).free < FULL
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        if full:
            raise OSError(errno.ENOSPC, "the disk is full; free some space", str(path)) from error
        raise
    _flush(path.parent)


def _flush(path: str | Path) -> None:
    """Have a file, or the names in a folder, on the disk itself."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that cannot
            raise
    finally:
        os.close(handle)


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_array(path: str | Path, array: np.ndarray) -> None:
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.save(file, array)


def write_arrays(path: str | Path, **arrays: np.ndarray) -> None:
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)


def write_json(path: str | Path, value: Any) -> None:
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, ensure_ascii=False)
        file.write("\n")


def write_new_json(path: str | Path, value: Any) -> bool:
    """Write a JSON file unless it is there; whether it was written. Of several writers one wins."""
    path = Path(path)
    own = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    write_json(own, value)
    try:
        os.link(own, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        os.replace(own, path)
    finally:
        own.unlink(missing_ok=True)
    return True


def read_text(path: str | Path, expected: str = "text", do: str = "save it as UTF-8") -> str:
    """The text of a file as an editor saved it, lines ended by \\n alone; FileError if it is none.

    UTF-8 or UTF-16, with or without a mark before it.
    """
    with reading(path, expected, do):
        data = Path(path).read_bytes()
        code = "utf-8-sig"
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            code = "utf-16"
        elif b"\0" in data[:2]:
            code = "utf-16-be" if data[0] == 0 else "utf-16-le"
        return data.decode(code).replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: str | Path, do: str = "write it again") -> Any:
    """The content of a JSON file, as an editor saved it; FileError if damaged."""
    with refusing(path, "JSON", do):
        return json.loads(read_text(path, "JSON", do))


def read_or_set_aside(path: str | Path) -> Any:
    """The content of a JSON file that can be made anew; None without one.

    A damaged one, as a power cut leaves it, is moved to NAME.damaged, and the log says so.
    """
    path = Path(path)
    try:
        return read_json(path, "it is made anew") if path.is_file() else None
    except FileError as error:
        aside = path.with_name(f"{path.name}.damaged")
        os.replace(path, aside)
        logger.warning("%s; what was in it: %s", error, aside)
        return None


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """Make `target` a hard link to the file `source`; a copy where the file system cannot."""
    try:
        os.link(source, target)
    except OSError:  # another file system
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)
