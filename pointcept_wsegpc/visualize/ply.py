"""Labels of a prepared scene on the points of the scan that it was prepared from, as .ply.

N points as scanned, M prepared points, C classes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..clouds.formats import PointCloud
from ..clouds.ply import write_ply
from ..clouds.read import read_cloud
from ..contracts.classes import IGNORE, ClassTable
from ..contracts.label_store import LabelStore
from ..contracts.scene import INVERSE, read_points
from ..files import read_json, write_json
from ..files.arrays import read_array
from .colors import label_colors

UNLABELED = (153, 153, 153)
LEGEND = "legend.json"  # beside the files: their headers cannot hold every name
PROPERTIES = {"label": "<i2", "confidence": "<f4"}


def values_of_scan(scene: str | Path, values: np.ndarray, missing: float) -> np.ndarray:
    """Values (N,) of the scanned points from those of the prepared ones (M,); else `missing`."""
    inverse = read_array(Path(scene) / INVERSE)
    return np.where(inverse >= 0, values[inverse], np.asarray(missing, values.dtype))


def write_legend(folder: Path, table: ClassTable) -> None:
    """Write names and colors of the labels, as a class table."""
    colors = label_colors(table, UNLABELED)[: len(table)]
    write_json(folder / LEGEND, {"names": table.names, "colors": colors.tolist()})


def write_labeled(job: tuple[Path, Path, str, Path], table: ClassTable) -> str | None:
    """Write a .ply of (scene's folder, label store, key in it, file to write); a remark or None.

    Raises ValueError where labels and points differ in number, or a label is no class.
    """
    scene, store, key, out = job
    prepared = read_points(scene, ("coord",), ("color",))
    values = LabelStore.load(store).read(key, len(prepared["coord"]), ("label", "confidence"))
    top = int(values["label"].max(initial=IGNORE))
    if top >= len(table):
        raise ValueError(
            f"{store} has the label {top} for {key}; there are {len(table)} classes: give --classes"
        )
    cloud, remark = _scan(scene)
    if cloud is None:
        cloud = PointCloud(prepared["coord"])
    else:
        missing = {"label": IGNORE, "confidence": 0}
        values = {key: values_of_scan(scene, values[key], missing[key]) for key in values}
    properties = {key: values[key].astype(kind) for key, kind in PROPERTIES.items()}
    color = label_colors(table, UNLABELED)[values["label"]]  # IGNORE is the last row
    legend = [f"label {i} {name}" for i, name in enumerate(table.names)]
    out.parent.mkdir(parents=True, exist_ok=True)
    write_ply(out, cloud.coord, color, cloud.face, legend, **properties)
    return remark


def _scan(scene):
    """(the scan of a prepared scene, None), or (None, why the prepared points are used)."""
    if not (scene / INVERSE).is_file():
        return None, None  # prepared point by point
    source = Path(read_json(scene / "manifest.json")["source"]["points"])
    if not source.is_file():
        return None, f"{source} is gone; the prepared points are written"
    cloud = read_cloud(source)
    if len(cloud.coord) != len(read_array(scene / INVERSE, mmap=True)):
        return None, f"{source} has changed since; the prepared points are written"
    return cloud, None
