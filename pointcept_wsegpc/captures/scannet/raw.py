"""What other layouts of ScanNet keep as well: its 20 classes, their NYU40 ids, and SCENE.txt."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...contracts.classes import IGNORE, ClassTable
from ...files.arrays import reading

AGAIN = "download it again"
TABLE = ClassTable.shipped("scannet20")
# Of each class of the table, as the ScanNet v2 benchmark has them.
NYU40_IDS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 24, 28, 33, 34, 36, 39)


def nyu40_to_scannet20(nyu40: np.ndarray) -> np.ndarray:
    """Map NYU40 ids of any shape to 0..19; every other id (0, 13, stray 50 or 149) to IGNORE.

    Returns int16 of the same shape.
    """
    nyu40 = np.asarray(nyu40)
    table = np.full(256, IGNORE, dtype=np.int16)
    table[list(NYU40_IDS)] = np.arange(len(NYU40_IDS))
    known = (nyu40 >= 0) & (nyu40 < len(table))
    return np.where(known, table[np.where(known, nyu40, 0)], IGNORE).astype(np.int16)


def scene_info(folder) -> dict[str, str]:
    """{key: value} of SCENE.txt in the folder of scene SCENE; {} where there is none."""
    path = info_file(folder)
    if not path.is_file():
        return {}
    with reading(path, "text", AGAIN):
        lines = (line.partition("=") for line in path.read_text("utf-8-sig").splitlines())
        return {key.strip(): value.strip() for key, separator, value in lines if separator}


def info_file(folder) -> Path:
    """SCENE.txt in the folder of scene SCENE."""
    return Path(folder) / f"{Path(folder).name}.txt"


def axis_alignment(folder) -> np.ndarray:
    """World-to-gravity matrix (4, 4) of SCENE.txt; identity where it has none, as in test."""
    value = scene_info(folder).get("axisAlignment")
    if value is None:
        return np.eye(4)
    with reading(info_file(folder), "16 finite numbers as axisAlignment", AGAIN):
        matrix = np.array(value.split(), np.float64).reshape(4, 4)
        if not np.isfinite(matrix).all():
            raise ValueError(f"axisAlignment is {value}")
    return matrix
