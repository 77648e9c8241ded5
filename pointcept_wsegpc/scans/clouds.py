"""Points of a scan, from the files that scanners and their programs write.

N points, F faces. Readers keep the order of the file, so that labels can return to it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .pcd import read_pcd

STEMS = ("points", "cloud", "mesh")  # names that tell the cloud from others beside it


@dataclass
class CloudFile:
    """coord (N, 3) float64 in the file's unit; what the file lacks is None.

    color (N, 3) uint8 · normal (N, 3) float32, of any length · face (F, 3) int64.
    """

    coord: np.ndarray
    color: np.ndarray | None = None
    normal: np.ndarray | None = None
    face: np.ndarray | None = None


def find_cloud(scene):
    """The one cloud or mesh in a scene's folder; errors say what is there and what to do."""
    files = sorted(
        path
        for path in scene.iterdir()
        if path.suffix.lower() in READERS and path.is_file() and path.name[0] != "."
    )
    named = [path for path in files if path.stem.lower() in (*STEMS, scene.name.lower())]
    chosen = named if len(files) > 1 else files
    if len(chosen) == 1:
        return chosen[0]
    if not files:
        raise FileNotFoundError(f"{scene} has no cloud; expected a {', '.join(READERS)} file")
    raise ValueError(
        f"{scene} has the clouds {', '.join(path.name for path in files[:5])}; name the one to use "
        f"points{files[0].suffix}, and no other points, cloud or mesh"
    )


def read_cloud(path):
    """CloudFile of a .ply, .pcd, .npy, .las or .laz; ValueError or OSError in one line."""
    path = Path(path)
    try:
        cloud = READERS[path.suffix.lower()](path)
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


def named_columns(columns):
    """CloudFile of a mapping from the usual names (x, red or r, nx or normal_x, …) to (N,)."""

    def take(*choices):
        found = next((names for names in choices if all(n in columns for n in names)), None)
        return None if found is None else np.stack([columns[n] for n in found], axis=1)

    coord = take("xyz", "XYZ")
    if coord is None:
        raise ValueError(f"expected x, y and z, got {', '.join(columns)}")
    color = take(
        ("red", "green", "blue"), ("r", "g", "b"), ("diffuse_red", "diffuse_green", "diffuse_blue")
    )
    normal = take(("nx", "ny", "nz"), ("normal_x", "normal_y", "normal_z"))
    return CloudFile(
        coord.astype(np.float64),
        None if color is None else as_uint8(color),
        None if normal is None else normal.astype(np.float32),
    )


def as_uint8(color):
    """Colours (N, 3) of any type as uint8: floats 0..1 or 0..255, integers of 8 or 16 bits."""
    if color.dtype == np.uint8:
        return color
    top = np.nanmax(color) if color.size else 0
    if color.dtype.kind == "f":
        color = np.nan_to_num(color) * (255 if top <= 1 else 1)
    elif top > 255:
        color = color / 257
    return np.clip(np.rint(color), 0, 255).astype(np.uint8)


def read_ply(path):
    """Vertices of a .ply and, of a mesh, its faces, polygons cut into triangles."""
    from plyfile import PlyData, PlyParseError

    names = ("vertex_indices", "vertex_index")
    known = {"face": dict.fromkeys(names, 3)}
    try:
        try:  # triangles of known length are read as one block instead of one by one
            ply = PlyData.read(str(path), known_list_len=known)
        except PlyParseError:
            ply = PlyData.read(str(path))
    except PlyParseError as error:
        raise ValueError(f"{path}: {error}; export it again") from error
    vertex = ply["vertex"].data
    cloud = named_columns({name: vertex[name] for name in vertex.dtype.names})
    if "face" in ply:
        face = ply["face"].data
        name = next((name for name in names if name in face.dtype.names), None)
        cloud.face = _triangles(face[name]) if name and len(face) else None
    if cloud.face is not None and not (0 <= cloud.face.min() <= cloud.face.max() < len(vertex)):
        raise ValueError(f"{path}: a face names vertex {cloud.face.max()} of {len(vertex)}")
    return cloud


def _triangles(lists):
    """Faces (F, 3) of polygons, each a fan around its first vertex."""
    if lists.dtype != object:
        return np.asarray(lists, dtype=np.int64).reshape(-1, 3)
    fans = [
        np.stack([np.full(len(p) - 2, p[0]), p[1:-1], p[2:]], axis=1) for p in lists if len(p) > 2
    ]
    return np.concatenate(fans).astype(np.int64) if fans else None


def read_npy(path):
    """Columns x y z [red green blue] [nx ny nz], (N, 3 / 6 / 9), or an array with named fields."""
    array = np.load(path, allow_pickle=False)
    if array.dtype.names:
        return named_columns({name: array[name] for name in array.dtype.names})
    if array.ndim != 2 or array.shape[1] not in (3, 6, 9):
        raise ValueError(
            f"{path} has the shape {array.shape}; expected (N, 3) x y z, (N, 6) with red green "
            "blue, (N, 9) with nx ny nz, or named fields"
        )
    columns = ("x", "y", "z", "red", "green", "blue", "nx", "ny", "nz")
    return named_columns(dict(zip(columns, array.T, strict=False)))


def read_las(path):
    """Coordinates and colours of a .las or .laz, by laspy (extra `las`)."""
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
    return named_columns(columns)


READERS = {
    ".ply": read_ply,
    ".pcd": lambda path: named_columns(read_pcd(path)),
    ".npy": read_npy,
    ".las": read_las,
    ".laz": read_las,
}
