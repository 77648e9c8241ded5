"""Numbers in text files, as programs and spreadsheets write them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ..files import read_text
from ..files.arrays import reading

DO = "write it again"
BARE_COMMA = re.compile(r"\d,\d")
SPACED = re.compile(r"[\d.]\s+[-+.\d]")


def read_number_rows(path: str | Path, expected: str = "numbers") -> list[list[float]]:
    """The numbers of each line that has any; `#` begins a comment; FileError for other text.

    Between numbers there are spaces, commas or semicolons; a comma may be a decimal one.
    """
    with reading(path, expected, DO):
        lines = [line.partition("#")[0] for line in read_text(path).splitlines()]
        lines = _with_points([line for line in lines if line.strip()])
        return [[float(word) for word in line.split()] for line in lines]


def _with_points(lines):
    """Lines whose numbers are separated by spaces alone."""
    text = "\n".join(lines).replace(";", " ")
    bare = BARE_COMMA.search(text)
    if bare and "." not in text and all(w.rstrip(",").count(",") < 2 for w in text.split()):
        words = ((word.rstrip(",").replace(",", ".") for word in line.split()) for line in lines)
        return [" ".join(line).replace(";", " ") for line in words]
    if bare and any(BARE_COMMA.search(line) and SPACED.search(line) for line in lines):
        raise ValueError("commas and spaces between numbers, or decimal commas: write points")
    return text.replace(",", " ").split("\n") if lines else []


def read_numbers(path: str | Path) -> list[float]:
    """All numbers of a text file; FileError names it."""
    return [number for row in read_number_rows(path) for number in row]


def read_table(path: str | Path, columns: str) -> np.ndarray:
    """Rows (P, n) float64 of a text file with these n columns; ValueError names the file."""
    count = len(columns.split())
    rows = read_number_rows(path, f"{columns} in each line")
    odd = next((len(row) for row in rows if len(row) != count), None)
    if odd is not None or not rows:
        raise ValueError(f"{path}: expected {count} numbers a line, {columns}; got {odd or 0}")
    return np.array(rows, dtype=np.float64)


def matrix4(values, path) -> np.ndarray:
    """A 4x4 matrix of 16 or 12 numbers, row by row; ValueError names the file."""
    values = np.asarray(values, dtype=np.float64).ravel()
    if len(values) not in (12, 16):
        raise ValueError(f"{path}: expected 4x4 numbers, got {len(values)}")
    matrix = np.eye(4)
    matrix[: len(values) // 4] = values.reshape(-1, 4)
    return matrix


def read_matrix(path, shape=(4, 4)) -> np.ndarray:
    """The matrix in a text file, row by row: a pose (4, 4), or an intrinsic (3, 3).

    A pose may lack its last row, an intrinsic may be written as 4x4. ValueError names the file
    where it holds other numbers, or an intrinsic without positive focal lengths.
    """
    values = read_numbers(path)
    if shape == (4, 4):
        return matrix4(values, path)
    side = round(len(values) ** 0.5)
    if len(values) not in (9, 16) or not min(values[0], values[side + 1]) > 0:
        raise ValueError(
            f"{path}: expected 3x3 or 4x4 intrinsics with positive focal lengths, got "
            f"{len(values)} numbers; write them again"
        )
    return np.reshape(values, (side, side))[:3, :3]
