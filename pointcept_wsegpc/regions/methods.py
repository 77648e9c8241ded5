"""The partition methods by name, and their presets."""

from __future__ import annotations

import inspect
import numbers
import os

from .cgal import partition_cgal
from .cloud import Cloud
from .files import partition_file
from .graph import PLANE_SHARE, partition_graph
from .growing import partition_growing
from .oracle import partition_oracle
from .supervoxel import partition_supervoxel
from .supervoxel.elements import SEED_VOXELS, VOXEL_SPACINGS
from .supervoxel.planes import partition_supervoxel_growing

# Functions of (cloud: Cloud or DepthView, *, settings) -> region (M,) of its rows.
METHODS = {
    "growing": partition_growing,
    "supervoxel": partition_supervoxel,
    "supervoxel+growing": partition_supervoxel_growing,
    "graph": partition_graph,
    "cgal": partition_cgal,
    "file": partition_file,
    "oracle": partition_oracle,
}
NO_DEFAULT = inspect.Parameter.empty
LARGEST = {"int": 2**31 - 1, "float": 1e30}  # that a setting may have, by its kind
# Settings known by a name, per method; `fill` is that of `partition`.
PRESETS = {
    "growing": {
        # WyPR (Ren et al., CVPR 2021): a distance that never binds indoors, then filled.
        "wypr": {
            "neighbours": 12,
            "max_distance": 2.0,
            "max_angle": 20.0,
            "min_size": 50,
            "fill": True,
        },
    },
    "graph": {
        # ScanNet's segmentator, exactly so on the faces of its mesh (see partition_graph).
        "segmentator": {"threshold": 0.01, "min_size": 20, "convex": True},
    },
}


def resolve(method, preset, settings):
    """(function, its settings, whether to fill) of a method and a preset by their names.

    Raises ValueError for an unknown name of a method, preset or setting, or a value of another kind
    than the setting has.
    """
    if method not in METHODS:
        known = ", ".join(METHODS)
        raise ValueError(f"unknown partition method {method!r}; known: {known}")
    known = PRESETS.get(method, {})
    if preset is not None and preset not in known:
        names = ", ".join(known) or "none"
        raise ValueError(f"method {method!r} has no preset {preset!r}; known: {names}")
    unknown = sorted(set(settings) - set(settings_of(method)))
    if unknown:
        names = ", ".join(settings_of(method))
        raise ValueError(f"method {method!r} has no setting {unknown[0]!r}; known: {names}")
    parameters = inspect.signature(METHODS[method]).parameters
    for name, value in settings.items():
        check_kind(name, value, parameters[name].annotation)
    settings = {**known.get(preset, {}), **settings}
    return METHODS[method], settings, settings.pop("fill", False)


def check_complete(method, settings):
    """Raise ValueError where a setting is missing that the method cannot do without."""
    for name in needed_by(method):
        if settings.get(name) is None:
            raise ValueError(f"method {method!r} needs the setting {name}")


def needed_by(method: str) -> list[str]:
    """Names of the settings that a method has no default for."""
    parameters = inspect.signature(METHODS[method]).parameters
    return [name for name in settings_of(method) if parameters[name].default is NO_DEFAULT]


def settings_of(method: str) -> list[str]:
    """Names of the settings of a method."""
    parameters = inspect.signature(METHODS[method]).parameters.values()
    return [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]


def check_kind(name, value, annotation):
    """Raise ValueError for a number, switch, path or None where the annotation has none."""
    kinds = str(annotation).split(" | ")
    if value is None and "None" in kinds:
        return
    if "bool" in kinds and not isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}; give True or False")
    if "int" in kinds and (not isinstance(value, numbers.Integral) or isinstance(value, bool)):
        raise ValueError(f"{name} is {value!r}; give a whole number")
    if "float" in kinds and (not isinstance(value, numbers.Real) or isinstance(value, bool)):
        raise ValueError(f"{name} is {value!r}; give a number")
    if {"int", "float"} & set(kinds) and abs(value) > LARGEST[kinds[0]]:
        raise ValueError(f"{name} is {value}; give a number up to {LARGEST[kinds[0]]}")
    if "Path" in kinds and not isinstance(value, (str, os.PathLike)):
        raise ValueError(f"{name} is {value!r}; give a path")


def from_data(cloud, method, **settings):
    """What a Cloud or DepthView put in the place of None: {name: value} of those settings."""
    values = {"max_distance": cloud.max_distance, "min_size": cloud.min_size}
    if method == "graph":
        values["max_distance"] *= PLANE_SHARE
        if "mesh" in settings:
            del values["max_distance"]  # no bound
    if isinstance(cloud, Cloud):
        values["voxel_size"] = VOXEL_SPACINGS * cloud.spacing
        values["seed_spacing"] = SEED_VOXELS * (settings.get("voxel_size") or values["voxel_size"])
    return {name: value for name, value in values.items() if settings.get(name, 0) is None}
