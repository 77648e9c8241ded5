"""Points of a scan, from the files that scanners and their programs write.

N points, F faces. Readers keep the order of the file, so that labels can return to it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .formats import CLOUD_FORMATS, PointCloud, from_columns

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
    """The cloud of a file in any of CLOUD_FORMATS; ValueError or OSError in one line."""
    path = Path(path)
    try:
        cloud = CLOUD_FORMATS.get(path.suffix.lower())(path)
    except (KeyError, IndexError, TypeError, EOFError, MemoryError) as error:
        raise ValueError(
            f"{path}: cannot be read ({type(error).__name__}: {error}); export it again"
        ) from error
    except ValueError as error:
        if str(path) in str(error):
            raise
        raise ValueError(f"{path}: cannot be read ({error}); export it again") from error
    if not np.isfinite(cloud.coord).all(axis=1).any():
        raise ValueError(f"{path} has no point with finite coordinates; export it again")
    return cloud


# --------------------------------------------------------------------------------- formats


@CLOUD_FORMATS.register(".npy")
def read_npy(path: Path) -> PointCloud:
    """Columns x y z [red green blue] [nx ny nz], (N, 3 / 6 / 9), or an array with named fields."""
    array = np.load(path, allow_pickle=False)
    if array.dtype.names:
        return from_columns({name: array[name] for name in array.dtype.names})
    if array.ndim != 2 or array.shape[1] not in (3, 6, 9):
        raise ValueError(
            f"{path} has the shape {array.shape}; expected (N, 3) x y z, (N, 6) with red green "
            "blue, (N, 9) with nx ny nz, or named fields"
        )
    columns = ("x", "y", "z", "red", "green", "blue", "nx", "ny", "nz")
    return from_columns(dict(zip(columns, array.T, strict=False)))


@CLOUD_FORMATS.register(".las")
@CLOUD_FORMATS.register(".laz")
def read_las(path: Path) -> PointCloud:
    """Coordinates and colors of a .las or .laz, by laspy (extra `las`)."""
    try:
        import laspy
    except ImportError as error:
        raise OSError(f"{path}: reading it needs laspy: pip install 'laspy[lazrs]'") from error
    try:
        las = laspy.read(path)
    except laspy.errors.LaspyException as error:
        raise ValueError(f"{path}: {error}; export it again, or as .ply") from error
    columns = {axis: np.asarray(getattr(las, axis)) for axis in "xyz"}
    for name in las.point_format.dimension_names:
        if name in ("red", "green", "blue") or name.lower() in ("nx", "ny", "nz"):
            columns[name.lower()] = np.asarray(las[name])
    return from_columns(columns)
