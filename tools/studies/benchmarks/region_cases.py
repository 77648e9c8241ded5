"""Cases of partitions: region growing beside a plain one, beside CGAL's, and as points get more."""

import importlib.util

import numpy as np

from pointcept_wsegpc.camera import back_project
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.scene import read_points
from pointcept_wsegpc.contracts.views import read_view_image, read_views
from pointcept_wsegpc.metrics import partition_quality
from pointcept_wsegpc.regions import cgal, partition, partition_view

from . import inputs, textbook
from .inputs import first_scene
from .measure import Case, best_times
from .rand_index import adjusted_rand_index

# For all versions alike.
SETTINGS = {"neighbours": 12, "max_distance": 0.04, "max_angle": 20.0, "min_size": 50}


def regions_3d_case(sizes, cache):
    """Region growing of a cloud; the plain one gets a random part of its points."""
    points = read_points(first_scene(cache, sizes))
    coord, normal = points["coord"], points["normal"]
    rng = np.random.default_rng(0)
    part = rng.choice(len(coord), len(coord) // sizes.growing_share, replace=False)
    # As dense as the whole cloud relative to the distance at which points belong together.
    distance = 0.04 * np.sqrt(sizes.growing_share)
    return Case(
        f"{len(coord)} points",
        lambda: partition(coord, normal, **SETTINGS),
        lambda: textbook.grow_regions(coord[part], normal[part], max_distance=distance),
        parts=len(coord) / len(part),
    )


def regions_2d_case(sizes, cache):
    """Region growing of a view; the plain one gets a part of its pixels, lifted to points."""
    scene = first_scene(cache, sizes)
    views = read_views(scene)
    middle = len(views) // 2
    intrinsic, size = views.intrinsic[middle], views.size[middle]
    depth = read_view_image(scene, views.frame[middle], "depth", size)
    step = int(np.ceil(np.sqrt(sizes.growing_share)))
    part = back_project(depth, intrinsic)[::step, ::step].reshape(-1, 3)
    part = part[part[:, 2] > 0].astype(np.float64)
    return Case(
        f"{size[1]}x{size[0]}",
        lambda: partition_view(depth, intrinsic),
        lambda: textbook.grow_regions(part, max_distance=0.04 * step),
        parts=np.count_nonzero(depth) / len(part),
    )


def regions_cgal_case(sizes, cache):
    """Region growing of a cloud, from arrays to ids, beside CGAL's with the same settings."""
    folder = first_scene(cache, sizes)
    table = ClassTable.of_scene(folder)
    scene = read_points(folder, ["coord", "normal", table.label_file])
    coord, normal, segment = scene["coord"], scene["normal"], scene[table.label_file]

    def ours():
        return partition(coord, normal, **SETTINGS)

    def other():
        return cgal.grow_by_cgal(coord, normal, **SETTINGS)

    def by_point():
        return cgal.detect_regions(textbook.cgal_points(coord, normal), **SETTINGS)

    def findings(row, repeat):
        if row["other_seconds"] is None:
            return {"summary": "the package CGAL is not installed: pip install cgal"}
        region, other_region = ours(), other()
        seconds, by_point_seconds = best_times([ours, by_point], repeat)
        numbers = {
            "faster": row["other_seconds"] / row["seconds"],
            "faster_by_point": by_point_seconds / seconds,
            "rand_index": adjusted_rand_index(region, other_region),
            "quality": partition_quality(region, segment, len(table)),
            "other_quality": partition_quality(other_region, segment, len(table)),
        }
        summary = (
            "{faster:.1f} x as fast as CGAL given its points in a file, "
            "{faster_by_point:.1f} x given one by a call of the binding (bar: 3); "
            "adjusted Rand index {rand_index:.3f} (bar: 0.9); "
            "partition quality {quality:.3f}, CGAL's {other_quality:.3f}"
        )
        return {**numbers, "summary": summary.format(**numbers)}

    installed = importlib.util.find_spec("CGAL") is not None
    return Case(f"{len(coord)} points", ours, other if installed else None, findings=findings)


def regions_growth_case(sizes, cache):
    """Region growing of a building; the other version is ours on one of its rooms."""
    coord, normal = inputs.building(cache, sizes)
    points = len(coord)

    def findings(row, repeat):
        numbers = {
            "growth": row["seconds"] / (row["other_seconds"] / sizes.rooms),
            "points_per_second": points / row["seconds"],
            "bytes_per_point": None if row["bytes"] is None else row["bytes"] / points,
        }
        memory = "unknown"
        if row["bytes"] is not None:
            memory = f"{numbers['bytes_per_point'] * 1e6 / 2**20:.0f} MiB"
        summary = (
            f"{sizes.rooms} x the points take {numbers['growth']:.1f} x the time (bar: 12); "
            f"{numbers['points_per_second']:,.0f} points/s; memory for a million points {memory} "
            "(bar: 1024 MiB)"
        )
        return {**numbers, "summary": summary}

    return Case(
        f"{points} points, other: {sizes.room}",
        lambda: partition(coord, normal),
        lambda: partition(coord[: sizes.room], normal[: sizes.room]),
        parts=sizes.rooms,
        findings=findings,
    )
