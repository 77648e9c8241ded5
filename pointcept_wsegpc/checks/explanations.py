"""Known mistakes that make points and poses disagree, each as what would undo it.

N points, V views. An explanation maps points and views to what they would be without the mistake;
the one under which points and depth agree is the diagnosis. Meters, pixel centers at integers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

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
FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Explanation:
    """A mistake: what is found of it, what mends it, and how points and views are without it.

    option: of `wsegpc prepare scans`, which undoes it; "" if none does.
    """

    key: str
    found: str
    fix: str
    option: str = ""
    point: Callable[[np.ndarray], np.ndarray] = lambda coord: coord  # (N, 3) -> (N, 3)
    view: Callable[[Any], Any] = lambda view: view  # a PosedDepth -> a PosedDepth

    @property
    def advice(self) -> str:
        return f"{self.fix} (own scans: {self.option})" if self.option else self.fix

    def undo(self, coord: np.ndarray, views: list) -> tuple[np.ndarray, list]:
        """Points (N, 3) and views as they would be without the mistake."""
        return self.point(coord), [self.view(view) for view in views]


def explanations(views: Views, likely_size: bool = True) -> Iterator[Explanation]:
    """All known mistakes of a scene with these Views (all of them, in their order).

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
            point=partial(_transform, np.linalg.inv(align)),
        )
    yield from _axes()


def _pose_conventions():
    opengl = "poses have OpenGL camera axes (y up, looking along -z); expected y down, along +z"
    for key, option, found, fix, change in (
        (
            "poses-inverted",
            "invert",
            "poses are inverted: camera-to-world where world-to-camera is expected, or the reverse",
            "invert the 4x4 pose matrices (or give the other convention)",
            np.linalg.inv,
        ),
        (
            "poses-opengl",
            "opengl",
            opengl,
            "negate the 2nd and 3rd column of the camera-to-world matrices",
            lambda pose: FROM_OPENGL @ pose,
        ),
        (
            "poses-inverted-opengl",
            "invert-opengl",
            f"poses are inverted, and {opengl}",
            "invert the poses, negate the 2nd and 3rd column of camera-to-world,",
            lambda pose: FROM_OPENGL @ np.linalg.inv(pose),
        ),
    ):
        option = f"--mend-poses {option}"
        yield Explanation(key, found, f"{fix} {AGAIN}", option, view=partial(_posed, change))


def _units(likely_size):
    for unit, meters in POINT_UNITS.items():
        yield Explanation(
            "points-unit",
            f"points are in {unit}; expected meters",
            f"multiply the coordinates by {meters:g} {AGAIN}",
            point=partial(np.multiply, np.float32(meters)),
        )
    for unit, meters in POSE_UNITS.items():
        factor = np.ones((4, 4))
        factor[:3, 3] = meters
        moved = partial(_posed, partial(np.multiply, factor))
        yield Explanation(
            "poses-unit",
            f"camera positions are in {unit}; expected meters",
            f"multiply the translations of the poses by {meters:g} {AGAIN}",
            view=moved,
        )
        if not likely_size:
            yield Explanation(
                "scene-unit",
                f"points and camera positions are in {unit}; expected meters",
                f"multiply the coordinates and the translations of the poses by {meters:g} {AGAIN}",
                f"--scale {meters:g}",
                partial(np.multiply, np.float32(meters)),
                moved,
            )
    for unit, factor in DEPTH_UNITS.items() if likely_size else ():
        yield Explanation(
            "depth-unit",
            f"depth images hold {unit}, read as millimeters: depth is off by a factor {factor:.3g}",
            f"give the depth scale of the source (values per meter) {AGAIN}",
            view=lambda view, s=factor: replace(view, depth=view.depth * np.float32(s)),
        )


def _other_camera(views):
    for ratio in SIZE_RATIOS:
        scale = np.array([[1 / ratio], [1 / ratio], [1]])
        yield Explanation(
            "intrinsics-scale",
            f"intrinsics are those of images about {ratio:.2g} times as large as the stored ones",
            f"give the intrinsics at the resolution of the images that they go with {AGAIN}",
            view=lambda view, s=scale: replace(view, intrinsic=view.intrinsic * s),
        )
    frames = views.frame.tolist()
    pose_of = dict(zip(sorted(frames, key=str), views.world_to_camera, strict=True))
    yield Explanation(
        "frames-sorted-as-text",
        "poses are in the order of frame names sorted as text (0, 1, 10, 2); images as numbers",
        f"sort images and poses the same way {AGAIN}",
        view=lambda view: replace(view, world_to_camera=pose_of[view.frame]),
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
                f"--point-axes {text.replace(' ', '')}",
                partial(_transform, matrix),
            )


def _transform(matrix, coord):
    matrix = np.asarray(matrix, np.float32)
    return coord @ matrix[:3, :3].T + matrix[:3, 3]


def _posed(change, view):
    return replace(view, world_to_camera=change(view.world_to_camera))
