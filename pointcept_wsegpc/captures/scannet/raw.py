"""SCENE.txt of a raw ScanNet scene, which other layouts of ScanNet keep as well."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def scene_info(folder) -> dict[str, str]:
    """{key: value} of SCENE.txt in the folder of scene SCENE; {} where there is none."""
    path = Path(folder) / f"{Path(folder).name}.txt"
    if not path.is_file():
        return {}
    lines = (line.partition("=") for line in path.read_text(encoding="utf-8").splitlines())
    return {key.strip(): value.strip() for key, separator, value in lines if separator}


def axis_alignment(folder) -> np.ndarray:
    """World-to-gravity matrix (4, 4) of SCENE.txt; identity where it has none, as in test."""
    value = scene_info(folder).get("axisAlignment")
    return np.eye(4) if value is None else np.array(value.split(), np.float64).reshape(4, 4)
