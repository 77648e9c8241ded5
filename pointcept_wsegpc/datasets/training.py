"""A training sample of stage one, built from one or two loaded scenes ("parts").

Shapes: N student voxels, M teacher voxels, V views, P pixels of all views, L links, K parts, C
classes. Coordinates in meters, pixel centers at integers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..camera.zbuffer import PointRenderer
from ..clouds.ids import compact_ids, join_ids
from ..clouds.voxels import nearest_half, voxelize
from ..contracts.label_store import LabelStore
from ..contracts.views import Views, read_view_image
from ..transforms.images import jitter_image
from ..transforms.scenes import scatter_scenes
from ..transforms.views import point_features
from .visibility import seen_points

Arrays = dict[str, np.ndarray]
NOT_FED = ("region", "segment", "stored_probs")  # the point arrays that no network reads


@dataclass
class Part:
    """One source scene of a sample."""

    scene: Path  # its folder
    points: Arrays  # coord, what is fed, region, perhaps segment; after structure removal
    views: Views
    chosen: np.ndarray  # (v,) int64, positions of the sample's views in `views`
    point_tags: np.ndarray  # (C,) after structure removal
    image_tags: np.ndarray  # (C,) of the whole scene
    view_tags: np.ndarray  # (v, C) the views' own tags, the scene's where a view has none
    view_tagged: np.ndarray  # (v,) bool, which views have tags of their own
    surface: PointRenderer | None = None  # what hides points, see visibility.py


class Augmentation(NamedTuple):
    """Pointcept transforms: of the geometry for the teacher, on top of it for the student, and of
    the color, for the teacher once and once more on top for the student."""

    teacher: Callable[[Arrays], Arrays]
    student: Callable[[Arrays], Arrays]
    color: Callable[[Arrays], Arrays]

    def apply(self, name: str, cloud: Arrays) -> Arrays:
        """The same arrays of a cloud after the transforms of that name."""
        try:
            augmented = getattr(self, name)(dict(cloud))
            return {key: augmented[key] for key in cloud}
        except KeyError as error:
            raise ValueError(
                f"{name}_augmentation needs {error} of the points, which have {', '.join(cloud)}; "
                "add it to feat_keys, or leave that transform out"
            ) from error


class Grid(NamedTuple):
    """The voxels of a sample: their edge in m, and by how many voxels (3,) the grid is moved."""

    size: float
    shift: np.ndarray | None = None

    @classmethod
    def draw(cls, size: float, largest: float, rng: np.random.Generator) -> Grid:
        """A grid that is moved at random by 0 to `largest` voxels along each axis."""
        return cls(size, rng.uniform(0, largest, 3).astype(np.float32) if largest else None)

    def voxelize(self, coord: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As `clouds.voxels.voxelize`, of points (N, 3) m. What is left of the shift beside the
        voxels' phase stays in grid_coord: strided convolutions group voxels by it."""
        if self.shift is None:
            return voxelize(coord, self.size)
        whole, phase = np.divmod(self.shift, 1)
        grid_coord, first, inverse = voxelize(coord, self.size, -phase * np.float32(self.size))
        return grid_coord + whole.astype(np.int32), first, inverse


def point_views(
    parts: Sequence[Part],
    augmentation: Augmentation,
    feat_keys: Sequence[str],
    grid_size: float,
    rng: np.random.Generator,
    max_voxels: int | None = None,
    grid_shift: float = 0,
) -> tuple[Arrays, np.ndarray]:
    """Teacher clouds apart, the student's together, and the row that connects the two.

    The student's colors are drawn once more on top of the teacher's, on its voxels only. Where
    there are more than max_voxels, the parts are cut down in place. grid_shift: the teacher's and
    the student's grids are moved at random by up to so many voxels. Returns the named arrays of the
    sample and index (N,), the concatenated parts' point behind each student voxel.
    """
    teacher, student = _augmented(parts, augmentation, rng)
    grids = [Grid.draw(grid_size, grid_shift, rng) for _ in range(2)]
    if max_voxels:
        cut_down([part.points for part in parts], teacher, student, grids, max_voxels, rng)
    voxels = [grids[0].voxelize(view["coord"]) for view in teacher]
    sizes = np.array([len(grid) for grid, _, _ in voxels])
    starts = sizes.cumsum() - sizes
    to_teacher = np.concatenate([v[2] + start for v, start in zip(voxels, starts, strict=True)])
    cloud = _joined(student)
    grid_coord, index, _ = grids[1].voxelize(cloud["coord"])
    cloud = augmentation.apply("color", _selected(cloud, index))
    regions = join_ids([part.points["region"] for part in parts])
    arrays = {
        **cloud_arrays(cloud, grid_coord, feat_keys),
        "offset": np.array([len(index)]),
        "region": compact_ids(regions[index]),
        "teacher_offset": sizes.cumsum(),
        "teacher_sample_offset": sizes.sum(keepdims=True),
        "teacher_row": to_teacher[index],
    }
    seen = [_selected(view, first) for view, (_, first, _) in zip(teacher, voxels, strict=True)]
    grid_coord = np.concatenate([grid for grid, _, _ in voxels])
    teacher_arrays = cloud_arrays(_joined(seen), grid_coord, feat_keys)
    arrays.update({f"teacher_{key}": array for key, array in teacher_arrays.items()})
    return arrays, index


def _augmented(parts, augmentation, rng):
    """The clouds that teacher and student see of each part, before voxelization."""
    teacher, student = [], []
    for part in parts:
        fed = {k: a.astype(np.float32) for k, a in part.points.items() if k not in NOT_FED}
        teacher.append(augmentation.apply("teacher", augmentation.apply("color", fed)))
    for view in teacher:
        student.append(augmentation.apply("student", {k: a.copy() for k, a in view.items()}))
    scattered = scatter_scenes([view["coord"] for view in student], rng)
    for view, coord in zip(student, scattered, strict=True):
        view["coord"] = coord
    return teacher, student


def cut_down(points, teacher, student, grids, limit, rng) -> None:
    """Halve the largest part until teacher and student have at most `limit` voxels each.

    Augmentation changes how many voxels a part has, so only the two views can tell, each in its
    own of the two grids. All three lists of point arrays are changed in place; limit >= K, so that
    no part is emptied. As in `crop_to_voxels` the nearest half stays, in the coordinates that
    augmentation has not rounded.
    """
    for views, grid in zip((teacher, student), grids, strict=True):
        while True:
            voxels = [grid.voxelize(view["coord"]) for view in views]
            sizes = [len(first) for _, first, _ in voxels]
            if sum(sizes) <= limit:
                break
            largest = int(np.argmax(sizes))
            _, first, inverse = voxels[largest]
            half = nearest_half(points[largest]["coord"][first], rng)
            for clouds in (points, teacher, student):
                keep_points(clouds[largest], np.isin(inverse, half))


def keep_points(points: Arrays, keep: np.ndarray) -> None:
    """Leave only the points `keep` (N,) bool in a dict of point arrays."""
    points.update({key: array[keep] for key, array in points.items()})


def _selected(cloud, index):
    return {key: array[index] for key, array in cloud.items()}


def _joined(clouds):
    return {key: np.concatenate([cloud[key] for cloud in clouds]) for key in clouds[0]}


def cloud_arrays(cloud: Arrays, grid_coord: np.ndarray, feat_keys: Sequence[str]) -> Arrays:
    """What a 3D backbone reads of a voxelized cloud."""
    feat = point_features(cloud, feat_keys)
    return {"coord": cloud["coord"], "grid_coord": grid_coord, "feat": feat}


def point_pixel_links(
    parts: Sequence[Part], index: np.ndarray, tolerance: float, by_depth: bool = True
) -> Arrays:
    """Link the student voxels' own points, unaugmented, to the pixels that see them.

    index (N,): the concatenated parts' point behind each voxel. by_depth: see `seen_points`.
    Returns the columns link_view, link_point (voxel), link_row, link_col, each (L,), and
    link_offset (1,).
    """
    names = ("link_view", "link_point", "link_row", "link_col")
    links, start, number = [np.empty((4, 0), np.int64)], 0, 0
    for part in parts:
        end = start + len(part.points["coord"])
        voxel = np.flatnonzero((index >= start) & (index < end))
        coord = part.points["coord"][index[voxel] - start]
        for view in part.chosen:
            point, row, col = seen_points(
                coord, part.scene, part.views, view, tolerance, part.surface, by_depth
            )
            links.append(np.stack([np.full(len(point), number), voxel[point], row, col]))
            number += 1
        start = end
    table = np.concatenate(links, axis=1)
    return {**dict(zip(names, table, strict=True)), "link_offset": np.array([table.shape[1]])}


def image_views(parts: Sequence[Part], student_image_jitter, teacher_image_jitter, rng) -> Arrays:
    """Student and teacher images (P, 3) and regions (P,), view after view, with the views' sizes.

    Pixels of a view are in row-major order; view_size (V, 2) is (H, W) of each, view_offset (1,).
    """
    views = [(part, view) for part in parts for view in part.chosen]
    color = [read_image(part.scene, part.views, view, "color") for part, view in views]
    region = [read_image(part.scene, part.views, view, "region") for part, view in views]
    student = [jitter_image(image, student_image_jitter, rng) for image in color]
    teacher = [jitter_image(image, teacher_image_jitter, rng) for image in color]
    return {
        "image": join_pixels(student, 3),
        "teacher_image": join_pixels(teacher, 3),
        "image_region": join_pixels(region),
        **view_arrays([image.shape[:2] for image in color]),
    }


def stored_probs(store: LabelStore, scene: str, num_points: int) -> np.ndarray:
    """Class probabilities (N, C) float32 of a scene's points in a label store, zeros for none.

    What the vote saw where the store has it, else the confidence of each point's label. Raises as
    `LabelStore.read` does, and ValueError where the file disagrees with itself.
    """
    keys = ("label", "confidence", "region", "region_probs", "point_probs")
    stored = store.read(scene, num_points, keys)
    probs = np.zeros((num_points, len(store.manifest["names"])), np.float32)
    if "region_probs" not in stored:
        known = np.flatnonzero(stored["label"] >= 0)
        probs[known, stored["label"][known]] = stored["confidence"][known]
        return probs
    inside = stored["region"] >= 0
    alone = stored.get("point_probs", 0)  # the points outside any region, in their order
    probs[inside], probs[~inside] = stored["region_probs"][stored["region"][inside]], alone
    return probs


def read_image(scene: Path, views: Views, view: int, kind: str) -> np.ndarray:
    """One kind of image of the view at a position in `views`."""
    return read_view_image(scene, views.frame[view], kind, views.size[view])


def join_pixels(images: Sequence[np.ndarray], channels: int | None = None) -> np.ndarray:
    """The pixels (P,), or (P, channels), of images of any sizes, one image after the other."""
    shape = (-1,) if channels is None else (-1, channels)
    none = np.empty(0, np.int32 if channels is None else np.float32)
    return np.concatenate([image.reshape(shape) for image in (*images, none)])


def view_arrays(sizes: Sequence[tuple[int, int]]) -> Arrays:
    """view_size (V, 2) and view_offset (1,) of views of (H, W) pixels."""
    size = np.array(sizes, np.int64).reshape(-1, 2)
    return {"view_size": size, "view_offset": np.array([len(size)])}
