"""Region growing by CGAL's Shape_detection, for comparison with growing.py. M points.

CGAL's package is GPL-3, its Python binding is the PyPI package `cgal`: optional, nothing needs it.
"""

from __future__ import annotations

import importlib
import math
import tempfile
from pathlib import Path

import numpy as np

from ..clouds.ply import write_columns
from .cloud import Cloud
from .depth_view import DepthView
from .growing import GrowingSettings, derived
from .registry import PARTITIONS

COLUMNS = ("x", "y", "z", "nx", "ny", "nz")


@PARTITIONS.register(
    "cgal",
    settings=GrowingSettings,
    derived=derived,
    coarser=("max_distance", "max_angle"),
    available=lambda: binding("CGAL_Point_set_3"),
    on_cloud=True,
)
def partition_cgal(cloud: Cloud | DepthView, settings: GrowingSettings) -> np.ndarray:
    """Planar regions of a cloud or view by CGAL; settings as in growing.

    The binding takes seeds in the order of the points, not the flattest first. Points without a
    normal stay out, and are nobody's neighbours. In a view the neighbours are those in space, and
    the tolerance is that of the median depth everywhere: CGAL knows but one. Returns (M,). Raises
    ImportError where the package is not installed.
    """
    normal = cloud.given_normal
    if normal is None or not normal.any(axis=1).all():
        normal, _ = cloud.planes(settings.neighbours)
    region = np.full(len(cloud), -1, np.int32)
    known = np.flatnonzero(normal.any(axis=1))  # CGAL takes a zero normal to be like any other
    if len(known):
        tolerance = float(np.median(cloud.tolerance(settings.max_distance)))
        bounds = (settings.neighbours, tolerance, settings.max_angle, settings.min_size)
        region[known] = grow_by_cgal(cloud.coord[known], normal[known], *bounds)
    return region


def grow_by_cgal(coord, normal, neighbours, max_distance, max_angle, min_size):
    """Region (M,) int32 of coord (M,3) m with unit normal (M,3), M > 0; CGAL's work and no more."""
    points = load_points(coord, normal)
    return detect_regions(points, neighbours, max_distance, max_angle, min_size)


def load_points(coord, normal):
    """The points as CGAL's Point_set_3.

    The binding takes one point a call, which for a cloud takes longer than growing its regions: so
    they go through a file that CGAL reads itself.
    """
    Point_set_3 = binding("CGAL_Point_set_3").Point_set_3
    points = Point_set_3()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "points.ply"
        values = np.hstack([coord, normal]).astype(np.float64).T
        write_columns(path, dict(zip(COLUMNS, values, strict=True)))
        points.read(str(path))
    if points.size() != len(coord) or not points.has_normal_map():
        raise OSError(f"CGAL read {points.size()} of {len(coord)} points from {path}; disk full?")
    return points


def detect_regions(points, neighbours, max_distance, max_angle, min_size):
    """Region (M,) int32 of the points of a Point_set_3, which gets them as its map "region"."""
    region = points.add_int_map("region")
    binding("CGAL_Shape_detection").region_growing(
        points,
        region,
        int(min_size),
        float(max_distance),
        -1,  # cluster_epsilon: a radius in place of the number of neighbours
        math.cos(math.radians(max_angle)),
        int(neighbours) + 1,  # CGAL counts a point among its own neighbours
    )
    return np.fromiter(map(region.get, range(points.size())), np.int32, points.size())


def binding(module):
    """A module of the package CGAL; ImportError in one line where it is not installed."""
    try:
        return importlib.import_module(f"CGAL.{module}")
    except ImportError as error:
        raise ImportError(
            f"method 'cgal' needs the package CGAL ({error}): `pip install cgal` (GPL, CPython 3.9 "
            "to 3.12); method 'growing' is the same algorithm and needs no package"
        ) from error
