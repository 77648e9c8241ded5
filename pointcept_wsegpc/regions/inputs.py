"""What a partition method needs of a prepared scene and of files beside it. N points, F faces."""

from pathlib import Path

import numpy as np

from ..schema import read_points
from . import settings_of


def read_inputs(scene, method, settings):
    """Point arrays of a scene by name, and the settings with what the scene has to fill in.

    segment20 is among the arrays where the scene has labels.
    """
    optional = {"segment20": True, "instance": "instance" in settings_of(method)}
    wanted = [key for key, want in optional.items() if want and (scene / f"{key}.npy").is_file()]
    points = read_points(scene, ["coord", "normal", "color", *wanted])
    for key in ("coord", "normal", "color"):
        if points[key].shape != (len(points[key]), 3):
            raise ValueError(f"{scene / key}.npy has shape {points[key].shape}; expected (N, 3)")
    settings = from_files(settings, len(points["coord"]), scene.name, scene.parent.name)
    if "segment" in settings_of(method):
        if "segment20" not in points:
            raise ValueError(
                f"method {method!r} needs labels, and {scene} has no segment20.npy; "
                "choose another --method for it"
            )
        settings["segment"] = points["segment20"]
        if "instance" in points:
            settings["instance"] = points["instance"]
    return points, settings


def from_files(settings, num_points, scene="", split=""):
    """Settings with {scene} and {split} filled in, and with faces where they name a mesh."""
    settings = dict(settings)
    for key, value in settings.items():
        if isinstance(value, str):
            settings[key] = value.replace("{scene}", scene).replace("{split}", split)
    if "mesh" in settings:
        settings["faces"] = read_faces(settings.pop("mesh"), num_points)
    return settings


def read_faces(path, num_points):
    """Triangles (F,3) int64 of a `.ply` whose vertices are the points of the scene."""
    from plyfile import PlyData, PlyParseError

    if not Path(path).is_file():
        raise FileNotFoundError(f"mesh {path} is missing; check the setting mesh")
    try:
        ply = PlyData.read(str(path), known_list_len={"face": {"vertex_indices": 3}})
        vertices, faces = len(ply["vertex"].data), ply["face"]["vertex_indices"]
    except (PlyParseError, KeyError, ValueError) as error:
        raise ValueError(f"{path}: expected vertices and triangles ({error})") from error
    if vertices != num_points:
        raise ValueError(
            f"{path} has {vertices} vertices, the scene {num_points} points; "
            "give the mesh that the scene was made from"
        )
    return np.asarray(faces, dtype=np.int64).reshape(-1, 3)
