"""Checks the point arrays of a scene: present, of equal length, in meters, labels in range.

N points.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..clouds.spacing import LIKELY_EXTENT, LIKELY_SPACING, spacing
from ..contracts.classes import ClassTable
from ..files.arrays import NUMBERS, read_array
from .findings import Findings

WIDTH = {"coord": 3, "color": 3, "normal": 3}
KINDS = NUMBERS + "US"  # of arrays that are read: text is no label, and is named as such
MAX_COORD = 1e8  # m; farther than any two places on Earth
SPACING_SAMPLE = 2000
PREPARE = "prepare this scene again"


def check_points(
    findings: Findings, scene: str | Path, table: ClassTable | None = None
) -> dict[str, np.ndarray]:
    """Add what is wrong with the arrays of a scene folder; returns those that are usable, by name.

    table: the class table, None where it is not known.
    """
    points = {}
    for key in WIDTH:
        fix = PREPARE if key == "coord" else f"leave {key} out of feat_keys, or prepare it again"
        array = load_array(findings, Path(scene) / f"{key}.npy", fix, wasted=key == "coord")
        if array is None:
            continue
        if array.ndim != 2 or array.shape[1] != WIDTH[key] or array.dtype.kind not in "fiu":
            what = f"{key}.npy is {array.dtype} {array.shape}; expected (N, {WIDTH[key]}) numbers"
            findings.add(f"shape-{key}", what, PREPARE)
        else:
            points[key] = array
    if "coord" in points and not _check_coord(findings, points["coord"]):
        del points["coord"]
    for key in ("color", "normal"):
        if len(points.get(key, ())):
            (_check_color if key == "color" else _check_normal)(findings, points[key])
    _check_labels(findings, Path(scene), points, table)
    _check_lengths(findings, points)
    return points


def load_array(
    findings: Findings, path: Path, fix: str, again: str = PREPARE, wasted: bool = True
) -> np.ndarray | None:
    """The array of a file, None where it is missing (mended by `fix`) or broken (by `again`)."""
    try:
        return read_array(path, kinds=KINDS)
    except FileNotFoundError:
        findings.add(f"missing-{path.stem}", f"{path.name} is missing", fix, wasted)
    except (ValueError, OSError) as error:
        what = f"{path.name} cannot be read: {error.__cause__ or error}"
        findings.add(f"unreadable-{path.stem}", what, again)
    return None


def is_possible(coord: np.ndarray) -> np.ndarray:
    """(N,) which of the points (N, 3) can be in a scene."""
    return (np.abs(coord) < MAX_COORD).all(axis=1)


def _check_coord(findings, coord):
    findings.metrics["points"] = len(coord)
    finite = is_possible(coord)
    if not finite.any():
        what = f"none of {len(coord)} points has a place; expected coordinates in meters"
        findings.add("no-points", what, PREPARE)
        return False
    if not finite.all():
        what = (
            f"{(~finite).sum()} of {len(coord)} points have no place: NaN, infinite, or beyond "
            f"{MAX_COORD:g} m"
        )
        findings.add("non-finite", what, f"remove them and {PREPARE}")
    coord = coord[finite]
    extent = np.ptp(coord, axis=0)
    apart = spacing(coord, SPACING_SAMPLE)
    findings.metrics.update(extent=[round(float(e), 3) for e in extent], spacing=round(apart, 5))
    fix = f"convert the coordinates to meters and {PREPARE}"
    low, high = LIKELY_SPACING
    if not low <= apart <= high:
        found = f"points are {apart:.3g} apart; expected {low:g} to {high:g} m: in meters?"
        findings.add("spacing", found, fix)
    low, high = LIKELY_EXTENT
    if not low <= extent.max() <= high:
        size = " x ".join(f"{e:.4g}" for e in extent)
        findings.add("extent", f"the cloud measures {size}; expected a room in meters", fix)
    return True


def _check_color(findings, color):
    if color.dtype != np.uint8:
        found = f"color.npy is {color.dtype} with values {color.min():g} to {color.max():g}"
        findings.add("color-range", f"{found}; expected uint8, 0 to 255", PREPARE, wasted=False)
    if np.ptp(color) <= 1 and color.dtype.kind != "f":
        what = f"colors of all points are {color.min()} to {color.max()}"
        fix = "give colors 0 to 255; without, 3D sees geometry alone"
        findings.add("color-none", what, fix, wasted=False)


def _check_normal(findings, normal):
    length = np.linalg.norm(normal.astype(np.float32), axis=1)
    zero = float((length < 0.5).mean())
    findings.metrics["without_normal"] = round(zero, 4)
    if zero > 0.5:
        what = f"{zero:.0%} of the points have no normal"
        findings.add("normal-none", what, f"estimate normals and {PREPARE}", wasted=False)
    elif np.abs(length[length >= 0.5] - 1).max(initial=0) > 0.1:
        what = f"normals have lengths up to {length.max():.3g}; expected 1"
        findings.add("normal-length", what, f"normalize them and {PREPARE}", wasted=False)


def _check_labels(findings, scene, points, table):
    own = {scene / f"{table.label_file}.npy"} if table else set()
    for path in sorted({*scene.glob("segment*.npy"), *filter(Path.is_file, own)}):
        label = load_array(findings, path, PREPARE)
        if label is None:
            continue
        label = label.reshape(-1)
        if label.dtype.kind not in "iu" and not (label.dtype.kind == "f" and _whole(label)):
            what = f"{path.name} holds {label.dtype} that are no whole numbers"
            findings.add("label-dtype", what, "map the labels to the class table")
            continue
        points[path.stem] = label
        if path not in own:  # labels of another class table, such as segment200
            continue
        try:
            points[path.stem] = table.clean(label, path.name)
        except ValueError as error:
            findings.add("label-range", str(error), "map the labels to the class table")


def _whole(values):
    return bool((values == np.floor(values)).all())  # NaN is not


def _check_lengths(findings, points):
    lengths = {key: len(array) for key, array in points.items()}
    if len(set(lengths.values())) > 1:
        text = ", ".join(f"{key} {length}" for key, length in lengths.items())
        findings.add("length", f"point arrays differ in length: {text}", PREPARE)
