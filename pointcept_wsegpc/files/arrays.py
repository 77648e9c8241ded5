"""Arrays from files that may be cut, damaged or foreign: checked before anything is allocated."""

from __future__ import annotations

import contextlib
import io
import math
import os
import stat
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

NUMBERS = "biuf"  # numpy's kinds: booleans, integers and floats
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
MAX_DEFLATE_RATIO = 1032  # zlib compresses no better: an archive that claims more is damaged


class FileError(ValueError):
    """A file that cannot be used: which, what is wrong with it, what was expected, what to do."""


@contextlib.contextmanager
def reading(path: str | Path, expected: str, do: str = "get it again") -> Iterator[None]:
    """Turn whatever a reader raises about the content of `path` into one FileError.

    A path that is missing or not to be opened keeps its OSError, which names it, and so does a
    check its ValueError. Anything but a regular file, such as a folder or a pipe, on which a
    reader would wait, is refused unopened.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise FileError(f"{path} is not a regular file; expected {expected}; {do}")
    with refusing(path, expected, do):
        yield


@contextlib.contextmanager
def refusing(path: str | Path, expected: str, do: str) -> Iterator[None]:
    """What `reading` does with errors, for what several files make up."""
    try:
        yield
    except (FileError, FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except Exception as error:  # damaged bytes can make a reader raise anything
        if isinstance(error, ValueError) and str(path) in str(error):
            raise
        reason = f"it has no {error}" if isinstance(error, KeyError) else f"{error}"
        reason = " ".join(reason.split()) or type(error).__name__
        raise FileError(
            f"{path} cannot be read ({reason:.100}); expected {expected}; {do}"
        ) from error


class SizedFile(io.BufferedReader):
    """A file open for reading, of which nobody can ask for more than it holds.

    Python allocates what is asked for before it reads; a damaged file may ask for any amount.
    """

    def __init__(self, path: str | Path):
        super().__init__(io.FileIO(path))
        self.size = os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1) -> bytes:
        return super().read(size if size is None else min(size, max(self.size - self.tell(), 0)))


def read_array(
    path: str | Path,
    expected: str = "a .npy array",
    do: str = "get it again",
    kinds: str = NUMBERS,
    mmap: bool = False,
) -> np.ndarray:
    """The array of a .npy file; FileError for one that is damaged or of other `kinds`."""
    with reading(path, expected, do), open(path, "rb") as file:
        _check_header(file, os.fstat(file.fileno()).st_size, kinds)
        if mmap:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)


def read_arrays(
    path: str | Path,
    keys: Iterable[str] | None = None,
    optional: Iterable[str] = (),
    expected: str = "an .npz archive",
    do: str = "get it again",
    kinds: str = NUMBERS,
) -> dict[str, np.ndarray]:
    """The arrays `keys` of an .npz archive and those of `optional` that it has; None = all.

    Raises FileError for an archive that is damaged, lacks a key or holds other `kinds`.
    """
    arrays = {}
    with reading(path, expected, do), open(path, "rb") as file, zipfile.ZipFile(file) as archive:
        members = {name.removesuffix(".npy"): name for name in archive.namelist()}
        wanted = list(members) if keys is None else [*keys]
        missing = [key for key in wanted if key not in members]
        if missing:
            raise ValueError(f"it has {sorted(members)} and lacks {missing}")
        for key in dict.fromkeys([*wanted, *(key for key in optional if key in members)]):
            arrays[key] = _read_member(archive, members[key], kinds)
    return arrays


def read_ids(path: str | Path, key: str, do: str = "get it again") -> np.ndarray:
    """The integers under `key` of an `.npz`, as (N,) int64; FileError where there are none."""
    expected = f"an .npz archive with whole numbers under {key!r}"
    array = read_arrays(path, (key,), expected=expected, do=do)[key].reshape(-1)
    with refusing(path, expected, do):
        if array.dtype.kind == "b" or (array != np.floor(array)).any():
            raise ValueError(f"{key!r} holds {array.dtype}")
    return array.astype(np.int64)


def _read_member(archive, name, kinds):
    info = archive.getinfo(name)
    if info.file_size > MAX_DEFLATE_RATIO * (info.compress_size + 1):
        raise ValueError(f"{name} claims {info.file_size} bytes in {info.compress_size}")
    member = io.BytesIO(archive.read(info))
    _check_header(member, info.file_size, kinds)
    member.seek(0)
    return np.lib.format.read_array(member, allow_pickle=False)


def _check_header(file: BinaryIO, size: int, kinds: str) -> None:
    """Compare the header of a .npy of `size` bytes with what can follow it."""
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"it is of .npy version {version}")
    shape, _, dtype = HEADERS[version](file)
    of = [dtype[name] for name in dtype.names] if dtype.names else [dtype]
    if any(field.base.kind not in kinds for field in of):
        raise ValueError(f"it holds {dtype}")
    claimed = math.prod(shape) * max(dtype.itemsize, 1)
    if any(n < 0 for n in shape) or claimed > size - file.tell():
        raise ValueError(f"its header claims the shape {shape}, its size is {size} bytes")
