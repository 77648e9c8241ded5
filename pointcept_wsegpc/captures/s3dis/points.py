"""Points of an S3DIS room: raw `Annotations/*.txt`, or the arrays of Pointcept's preprocessing.

N points. A raw file holds one object as lines `x y z r g b` (m, 0..255), and its name starts with
the class: `chair_3.txt`.
"""

from __future__ import annotations

import io
import logging
import re
from pathlib import Path

import numpy as np

from ...contracts.classes import ClassTable
from ...contracts.scene import read_all_points
from ...files.arrays import reading

LINE_BREAKS = (9, 10, 13)  # tab, line feed, carriage return: the control bytes that text may hold
COPY = re.compile(r"(?P<original>.+) \(\d+\)")  # what file managers call a second copy
TABLE = ClassTable.shipped("s3dis")
OTHER = TABLE.index("clutter")  # class of every other name, such as stairs

logger = logging.getLogger(__name__)


def repair_bytes(data):
    """Text with its corrupt bytes repaired, and the repairs: (bytes, [(line, wrong, right)]).

    Some files of the release hold bytes whose bit 0x20 was lost: a digit or a space became a
    control byte. Setting the bit gives the character back. Lines count from 1.
    """
    array = np.frombuffer(data, np.uint8)
    wrong = np.flatnonzero((array < 0x20) & ~np.isin(array, LINE_BREAKS))
    if not len(wrong):
        return data, []
    mended = array.copy()
    mended[wrong] |= 0x20
    repairs = [
        (data.count(b"\n", 0, i) + 1, f"0x{array[i]:02x}", chr(mended[i])) for i in wrong.tolist()
    ]
    return mended.tobytes(), repairs


def read_object(path):
    """coord (N, 3) float64 m, color (N, 3) uint8 and the repairs of one text file.

    The file itself is never changed. Raises one line that names it where it is not six columns of
    numbers.
    """
    with reading(path, "finite x y z r g b", "download it again"):
        data, repairs = repair_bytes(Path(path).read_bytes())
        for line, wrong, right in repairs:
            logger.warning("%s:%d: byte %s read as %r", path, line, wrong, right)
        values = np.empty((0, 6))
        if data.strip():
            values = np.loadtxt(io.BytesIO(data), dtype=np.float64, ndmin=2)
        if values.shape[1] != 6 or not np.isfinite(values).all():
            some = "" if np.isfinite(values).all() else ", some not finite"
            raise ValueError(f"it has {values.shape[1]} columns{some}")
    return values[:, :3], np.clip(values[:, 3:], 0, 255).astype(np.uint8), repairs


def object_files(folder):
    """Sorted object files of a room, and the names of those skipped as second copies."""
    files = sorted(Path(folder).glob("*.txt"))
    names = {path.stem for path in files}
    copies = [path for path in files if _original(path.stem) in names]
    return [path for path in files if path not in copies], [path.name for path in copies]


def _original(stem):
    match = COPY.fullmatch(stem)
    return match and match["original"]


def class_of(name):
    """Class of an object named `chair_3`; names that are no class are clutter."""
    word = name.split("_")[0]
    return TABLE.names.index(word) if word in TABLE.names else OTHER


def read_raw_room(folder):
    """Point arrays of a raw room, and notes on repairs and skipped files.

    Returns: {coord (N, 3) float32, color (N, 3) uint8, segment (N,) int16, instance (N,) int16};
        {"repairs": [[file, line, wrong byte, character]], "left_out": [file]}.
    """
    files, copies = object_files(folder / "Annotations")
    if not files:
        raise FileNotFoundError(f"{folder} has no Annotations/*.txt; unpack this room again")
    coord, color, repairs = zip(*map(read_object, files), strict=True)
    sizes = [len(part) for part in coord]
    points = {
        "coord": np.concatenate(coord).astype(np.float32),
        "color": np.concatenate(color),
        "segment": np.repeat(np.array([class_of(f.stem) for f in files], np.int16), sizes),
        "instance": np.repeat(np.arange(len(files), dtype=np.int16), sizes),
    }
    repairs = [[f.name, *one] for f, of_file in zip(files, repairs, strict=True) for one in of_file]
    if not len(points["coord"]):
        raise ValueError(f"{folder}/Annotations holds no point; unpack this room again")
    return points, {"repairs": repairs, "left_out": copies}


def read_preprocessed_room(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of Pointcept's preprocessing, as they are; {name: array}.

    Raises one line for arrays that do not fit each other, or are no points.
    """
    points = read_all_points(folder, needed=("coord", "color"))
    coord = points["coord"]
    if coord.ndim != 2 or coord.shape[1] != 3 or not len(coord) or not np.isfinite(coord).all():
        finite = "" if np.isfinite(coord).all() else ", some not finite"
        raise ValueError(
            f"{folder}/coord.npy has the shape {coord.shape}{finite}; expected finite x y z of at "
            "least one point: preprocess this room again"
        )
    return points
