"""Known mistakes that make points and poses disagree, each as what would undo it.

N points, V views. An explanation maps (coord, Cameras) to what they would be without the mistake;
the one under which points and depth agree is the diagnosis. Meters, pixel centers at integers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..contracts.views import Views

POINT_UNITS = {"millimeters": 1e-3, "centimeters": 1e-2, "inches": 0.0254, "feet": 0.3048}
POSE_UNITS = {"millimeters": 1e-3, "centimeters": 1e-2}
# What a unit of a depth image may have stood for, as millimeters per unit.
DEPTH_UNITS = {
    "meters": 1000.0,
    "centimeters": 10.0,
    "tenths of a millimeter (Azure, some ARKit exports)": 0.1,
    "1/256 m (KITTI)": 1000 / 256,
    "1/512 m (2D-3D-Semantics)": 1000 / 512,
    "1/4000 m (Matterport3D)": 0.25,
    "1/5000 m (TUM)": 0.2,
    "micrometers": 1e-3,
}
SIZE_RATIOS = (8, 6, 4, 3, 2, 1 / 2, 1 / 3, 1 / 4, 1 / 6, 1 / 8)
AGAIN = "and prepare the data again"


@dataclass(frozen=True)
class Explanation:
    key: str
    found: str
    fix: str
    undo: Callable  # (coord (N, 3), Cameras) -> (coord, Cameras)


def explanations(views: Views, likely_size: bool = True) -> Iterator[Explanation]:
    """All known mistakes of a scene with these schema.Views (all of them, in their order).

    likely_size: whether the cloud has the size of a room in meters. If so, that points and poses
    are in another unit is out of question (made small enough, any scene fits within a tolerance);
    if not, that the depth is.
    """
    yield from _pose_conventions()
    yield from _units(likely_size)
    yield from _other_camera(views)
    align = np.asarray(views.axis_alignment, np.float64)
    if not np.allclose(align, np.eye(4)):
        yield Explanation(
            "points-aligned",
            "points are in the axis-aligned frame, poses are not",
            f"use the points before alignment, as poses apply to those, {AGAIN}",
            lambda coord, cameras: (_transform(coord, np.linalg.inv(align)), cameras),
        )
    yield from _axes()


def _pose_conventions():
    flip = np.diag([1.0, -1.0, -1.0, 1.0])
    opengl = "poses have OpenGL camera axes (y up, looking along -z); expected y down, along +z"
    yield Explanation(
        "poses-inverted",
        "poses are inverted: camera-to-world where world-to-camera is expected, or the reverse",
        f"invert the 4x4 pose matrices (or give the other convention) {AGAIN}",
        lambda coord, cameras: (coord, _posed(cameras, np.linalg.inv(cameras.world_to_camera))),
    )
    yield Explanation(
        "poses-opengl",
        opengl,
        f"negate the 2nd and 3rd column of the camera-to-world matrices {AGAIN}",
        lambda coord, cameras: (coord, _posed(cameras, flip @ cameras.world_to_camera)),
    )
    yield Explanation(
        "poses-inverted-opengl",
        f"poses are inverted, and {opengl}",
        f"invert the poses, negate the 2nd and 3rd column of camera-to-world, {AGAIN}",
        lambda coord, cameras: (
            coord,
            _posed(cameras, flip @ np.linalg.inv(cameras.world_to_camera)),
        ),
    )


def _units(likely_size):
    for unit, meters in POINT_UNITS.items():
        yield Explanation(
            "points-unit",
            f"points are in {unit}; expected meters",
            f"multiply the coordinates by {meters:g} {AGAIN}",
            lambda coord, cameras, s=meters: (coord * np.float32(s), cameras),
        )
    for unit, meters in POSE_UNITS.items():
        yield Explanation(
            "poses-unit",
            f"camera positions are in {unit}; expected meters",
            f"multiply the translations of the poses by {meters:g} {AGAIN}",
            lambda coord, cameras, s=meters: (coord, _moved(cameras, s)),
        )
        if likely_size:
            continue
        yield Explanation(
            "scene-unit",
            f"points and camera positions are in {unit}; expected meters",
            f"multiply the coordinates and the translations of the poses by {meters:g} {AGAIN}",
            lambda coord, cameras, s=meters: (coord * np.float32(s), _moved(cameras, s)),
        )
    for unit, factor in DEPTH_UNITS.items() if likely_size else ():
        yield Explanation(
            "depth-unit",
            f"depth images hold {unit}, read as millimeters: depth is off by a factor {factor:.3g}",
            f"give the depth scale of the source (values per meter) {AGAIN}",
            lambda coord, cameras, s=factor: (
                coord,
                replace(cameras, depth=[depth * np.float32(s) for depth in cameras.depth]),
            ),
        )


def _other_camera(views):
    for ratio in SIZE_RATIOS:
        yield Explanation(
            "intrinsics-scale",
            f"intrinsics are those of images about {ratio:.2g} times as large as the stored ones",
            f"give the intrinsics at the resolution of the images that they go with {AGAIN}",
            lambda coord, cameras, s=1 / ratio: (coord, _scaled(cameras, s)),
        )
    yield Explanation(
        "frames-sorted-as-text",
        "poses are in the order of frame names sorted as text (0, 1, 10, 2); images as numbers",
        f"sort images and poses the same way {AGAIN}",
        lambda coord, cameras: (coord, _posed(cameras, _unsorted(views, cameras.frame))),
    )


def _axes():
    """Points turned or mirrored along the axes: the 47 signed permutations other than identity."""
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            if order == (0, 1, 2) and signs == (1, 1, 1):
                continue
            matrix = np.eye(4)
            matrix[:3, :3] = np.diag(signs) @ np.eye(3)[list(order)]
            text = ", ".join(
                "-" * (sign < 0) + "xyz"[axis] for axis, sign in zip(order, signs, strict=True)
            )
            mirrored = bool(np.linalg.det(matrix[:3, :3]) < 0)
            yield Explanation(
                "axes-swapped",
                f"axes of the points are swapped {'and mirrored ' * mirrored}against the poses",
                f"make the points (x, y, z) into ({text}), as the poses have them, {AGAIN}",
                lambda coord, cameras, m=matrix: (_transform(coord, m), cameras),
            )


def _transform(coord, matrix):
    matrix = np.asarray(matrix, np.float32)
    return coord @ matrix[:3, :3].T + matrix[:3, 3]


def _posed(cameras, world_to_camera):
    return replace(cameras, world_to_camera=world_to_camera)


def _moved(cameras, scale):
    pose = cameras.world_to_camera.copy()
    pose[:, :3, 3] *= scale
    return _posed(cameras, pose)


def _scaled(cameras, scale):
    intrinsic = cameras.intrinsic.copy()
    intrinsic[:, :2] *= scale
    return replace(cameras, intrinsic=intrinsic)


def _unsorted(views, frames):
    """Poses (V, 4, 4) of `frames`, put back from the order of names sorted as text."""
    as_text = sorted(range(len(views)), key=lambda i: str(int(views.frame[i])))
    poses = np.empty_like(views.world_to_camera)
    poses[as_text] = views.world_to_camera
    return poses[np.searchsorted(views.frame, frames)]
