"""Points of a scan, from the files that scanners and their programs write.

N points, F faces. Readers keep the order of the file, so that labels can return to it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..files.arrays import NUMBERS, FileError, read_array, reading
from ..files.las import read_las_points
from .formats import CLOUD_FORMATS, PointCloud, from_columns

COLOR, NORMAL = ["red", "green", "blue"], ["nx", "ny", "nz"]
TEXT = "SU"  # numpy's kinds, of fields that are passed over
STEMS = ("points", "cloud", "mesh")  # names that tell the cloud from others beside it


def find_cloud(scene: Path) -> Path:
    """The one cloud or mesh in a scene's folder; errors say what is there and what to do."""
    endings = CLOUD_FORMATS.names()
    files = sorted(
        path
        for path in scene.iterdir()
        if path.suffix.lower() in endings and path.is_file() and path.name[0] != "."
    )
    named = [path for path in files if path.stem.lower() in (*STEMS, scene.name.lower())]
    chosen = named if len(files) > 1 else files
    if len(chosen) == 1:
        return chosen[0]
    if not files:
        raise FileNotFoundError(f"{scene} has no cloud; expected a {', '.join(endings)} file")
    raise ValueError(
        f"{scene} has the clouds {', '.join(path.name for path in files[:5])}; name the one to use "
        f"points{files[0].suffix}, and no other points, cloud or mesh"
    )


def read_cloud(path: str | Path) -> PointCloud:
    """The cloud of a file in any of CLOUD_FORMATS; FileError, or an OSError that names the file.

    One color for all points is none.
    """
    path = Path(path)
    with reading(path, "a cloud or mesh", "export it again"):
        cloud = CLOUD_FORMATS.get(path.suffix.lower())(path)
        if not np.isfinite(cloud.coord).all(axis=1).any():
            raise FileError(f"{path} has no point with finite coordinates; export it again")
        if cloud.color is not None and (cloud.color == cloud.color[0]).all():
            cloud.color = None
    return cloud


# --------------------------------------------------------------------------------- formats


@CLOUD_FORMATS.register(".npy")
def read_npy(path: Path) -> PointCloud:
    """Columns x y z [red green blue] [nx ny nz], (N, 3 / 6 / 9), or an array with named fields.

    Of columns without names, those that are unit vectors are normals.
    """
    array = read_array(path, "a .npy of points", "export it again", NUMBERS + TEXT)
    if array.dtype.names:
        return from_columns({name: array[name] for name in array.dtype.names})
    if array.ndim != 2 or array.shape[1] not in (3, 6, 9):
        raise FileError(
            f"{path} has the shape {array.shape}; expected (N, 3) x y z, (N, 6) with red green "
            "blue, (N, 9) with nx ny nz, or named fields"
        )
    names = [*"xyz", *(COLOR if not _are_units(array[:, 3:6]) else NORMAL)]
    names += NORMAL if names[3:] == COLOR else COLOR
    return from_columns(dict(zip(names, array.T, strict=False)))


def _are_units(rows: np.ndarray) -> bool:
    """Whether rows (N, 3) are vectors of length 1, but for some that are missing."""
    length = np.linalg.norm(rows.astype(np.float64), axis=1)
    known = length[np.isfinite(length) & (length > 0)]
    return len(known) > 0 and bool((np.abs(known - 1) < 0.01).mean() > 0.99)


@CLOUD_FORMATS.register(".las")
@CLOUD_FORMATS.register(".laz")
def read_las(path: Path) -> PointCloud:
    """Coordinates and colors of a .las or .laz."""
    points = read_las_points(path)
    return from_columns({name: points[name] for name in points.dtype.names})
