"""Multi-view scenes with scene-level tags: the training and evaluation samples of stage one.

Shapes: N student voxels, M teacher voxels, V views, P pixels of all views, L links, C classes, D
feature channels, and K source scenes in a sample (2 under Mix3D, else 1). Coordinates in meters,
pixel centers at integers. Views may differ in size: their pixels stand one view after the other,
row-major within.

A training sample is a dict of tensors; everything is concatenated by Pointcept's collate:
    coord (N, 3) · grid_coord (N, 3) · feat (N, D) · offset (1,) · region (N,) from 0, -1 = none
    teacher_grid_coord (M, 3) · teacher_coord · teacher_feat · teacher_offset (K,)
    teacher_tags (K, C) · teacher_row (N,) teacher voxel of each student voxel
    teacher_sample_offset (1,)
    image, teacher_image (P, 3) RGB in 0..1 · image_region (P,) · view_size (V, 2) as (H, W)
    view_offset (1,)
    point_tags (1, C) after structure removal · image_tags (1, C) of the scenes
    view_tags (V, C) of each view, its scene's where it has none · view_tagged (V,) has its own
    link_view, link_point, link_row, link_col (L,) · link_offset (1,) · name
    segment (N,) with with_labels=True alone · stored_probs (N, C) with stored_labels alone
A scene that no image shows has V = 0, and everything of its views is empty.
An evaluation sample has coord, grid_coord, feat, offset, image, view_size, view_offset, scene_tags
(1, C), name, inverse (original point -> voxel), origin_region, and where labels exist segment,
origin_segment and image_segment (P,).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from pointcept.datasets.builder import DATASETS
from pointcept.datasets.transform import Compose
from torch.utils.data import Dataset

from ..clouds.voxels import crop_to_voxels, voxelize
from ..contracts.classes import IGNORE, ClassTable
from ..contracts.label_store import LabelStore
from ..contracts.scene import read_points, read_region, scene_dirs, scenes_by_key
from ..contracts.tags import (
    TAGS_FILE,
    VIEW_TAGS_FILE,
    read_scene_tags,
    read_view_tags,
    tag_vector,
)
from ..contracts.views import read_views, view_path
from ..registry import check_choice, check_range
from ..renames import DATASET_KEYS, refuses_old
from ..transforms.images import jitter_image
from ..transforms.views import point_features, sample_views
from .seeding import EpochSeeded
from .structures import StructureRemoval
from .training import (
    Augmentation,
    Part,
    image_views,
    join_pixels,
    keep_points,
    point_pixel_links,
    point_views,
    read_image,
    stored_probs,
    view_arrays,
)
from .visibility import LINK_VISIBILITY, surface_of


@DATASETS.register_module("WSegPCMultiViewDataset")
@refuses_old(DATASET_KEYS)
class MultiViewDataset(EpochSeeded, Dataset):
    """Prepared scenes with V views each and tags, the only supervision of stage one.

    Args:
        names: class names, in order, that the data root's class table must have; None: any.
        split, data_root: which prepared scenes.
        mode: "train" (student and teacher) or "eval" (as they are, labels where present).
        tags_file: scene tags; default <data_root>/scene_tags.json. If view_tags.json exists beside
            it, its tags of single views replace those of the scene.
        num_views: V. grid_size: voxel edge in m. grid_shift: in training the voxel grids of student
            and teacher are moved at random, each by up to so many voxels; 0: they stay.
        depth_tolerance: of the point-pixel links, in m. link_visibility: what hides a point from a
            view: "depth" (the view's depth image), "zbuffer" (the points themselves) or "none".
        feat_keys: the point arrays that are read and fed, side by side: color, normal, coord,
            strength, or any other NAME.npy of the scenes.
        teacher_augmentation, student_augmentation: Pointcept transforms of the points' geometry;
            the student's are applied on top of the teacher's. color_augmentation: of the colors,
            applied once for the teacher and once more on top for the student.
        teacher_image_jitter, student_image_jitter: (brightness, contrast, saturation, hue).
        structure_removal: {role: probability}, see transforms/scenes.py; the class table says which
            classes have the role "ground", "wall" or "ceiling". A role without classes is skipped.
        mix3d_prob: probability of mixing a second, other scene in.
        with_labels: read the point labels in training, too: for full supervision only.
        stored_labels: folder of a label store of these scenes (an earlier round, an imported
            prediction): its class probabilities reach the student's voxels as stored_probs, which
            the model's label_source reads.
        max_voxels: what the student or the teacher sees of a sample in training, both scenes of a
            mix together, has no more voxels than this, at least 2: a larger cloud is cut down
            around a random point, see clouds/voxels.py.
        loop: repetitions of the data set in one epoch.
    """

    def __init__(
        self,
        names: Sequence[str] | None = None,
        split: str | Sequence[str] = "train",
        data_root: str | Path = "data/scannet_wsegpc",
        mode: str = "train",
        tags_file: str | Path | None = None,
        num_views: int = 6,
        grid_size: float = 0.04,
        grid_shift: float = 0,
        depth_tolerance: float = 0.04,
        link_visibility: str = "depth",
        feat_keys: Sequence[str] = ("color", "normal"),
        teacher_augmentation: Sequence[Mapping] = (),
        student_augmentation: Sequence[Mapping] = (),
        color_augmentation: Sequence[Mapping] = (),
        teacher_image_jitter: Sequence[float] | None = (0.15, 0.15, 0.15, 0.05),
        student_image_jitter: Sequence[float] | None = (0.3, 0.3, 0.3, 0.1),
        structure_removal: Mapping[str, float] | None = None,
        mix3d_prob: float = 0.0,
        with_labels: bool = False,
        stored_labels: str | Path | None = None,
        max_voxels: int | None = None,
        loop: int = 1,
    ):
        check_choice("mode", mode, ("train", "eval"))
        check_choice("link_visibility", link_visibility, LINK_VISIBILITY)
        check_range(1, num_views=num_views)
        check_range(0, grid_shift=grid_shift)
        if max_voxels is not None:
            check_range(2, max_voxels=max_voxels)
        if not feat_keys:
            raise ValueError("feat_keys is empty; expected at least one point array, as ('coord',)")
        if color_augmentation and "color" not in feat_keys:
            raise ValueError(
                f"color_augmentation needs the color, which feat_keys {tuple(feat_keys)} does not "
                "read; add it there, or set color_augmentation=[]"
            )
        self.init_seeding()
        root = Path(data_root).expanduser().resolve()
        self.scenes = scene_dirs(root, split)
        self.scene_keys = list(scenes_by_key(self.scenes, root))
        self.table = ClassTable.read(root)
        self.names = self.table.names
        if names is not None and tuple(names) != self.names:
            raise ValueError(
                f"{root} has the classes {list(self.names)}, expected {list(names)}; set names and "
                "num_classes of the config to those of the data root"
            )
        self.mode = mode
        self.split = split
        self.num_views = num_views
        self.grid_size, self.grid_shift = grid_size, grid_shift
        self.depth_tolerance = depth_tolerance
        self.link_visibility = link_visibility
        self.feat_keys = tuple(feat_keys)
        self.augmentation = Augmentation(
            *map(Compose, (teacher_augmentation, student_augmentation, color_augmentation))
        )
        self.image_jitter = student_image_jitter, teacher_image_jitter
        self.structures = StructureRemoval(structure_removal, self.table)
        self.mix3d_prob = mix3d_prob
        self.with_labels = with_labels
        self.max_voxels = max_voxels
        self.loop = loop if mode == "train" else 1
        self.store = LabelStore.load(stored_labels) if stored_labels else None
        if self.store:
            self.store.check(self.names, self.scene_keys)
        self.tags_file = Path(tags_file or root / TAGS_FILE)
        self.scene_tags = read_scene_tags(self.tags_file, self.table)
        self.view_tags = read_view_tags(self.tags_file.with_name(VIEW_TAGS_FILE), self.table)

    def __len__(self) -> int:
        return len(self.scenes) * self.loop

    def __getitem__(self, index: int) -> dict:
        if self.mode == "eval":
            return self._evaluation_sample(index)
        with self.sample_rng(index) as rng:
            return self._training_sample(index % len(self.scenes), rng)

    def get_data_name(self, index: int) -> str:
        """Key of a scene: its folder, relative to that of its split."""
        return self.scene_keys[index % len(self.scenes)]

    def tag_vector(self, key: str) -> np.ndarray:
        """Tags (C,) float32 of a scene; KeyError where it is absent from the tags file."""
        if key not in self.scene_tags:
            raise KeyError(f"scene {key} is absent from {self.tags_file}; add its tags")
        return tag_vector(self.scene_tags[key], self.table)

    # --------------------------------------------------------------------------- training

    def _training_sample(self, index, rng):
        chosen = [index]
        if rng.random() < self.mix3d_prob and len(self.scenes) > 1:
            other = index + rng.integers(1, len(self.scenes))  # never the scene itself
            chosen.append(other % len(self.scenes))
        share = np.diff(np.linspace(0, self.num_views, len(chosen) + 1).astype(int))
        parts = [self._load_part(i, views, rng) for i, views in zip(chosen, share, strict=True)]
        if self.max_voxels:  # before two scenes are placed upon each other, so that these overlap
            for part in parts:
                limit = self.max_voxels // len(parts)
                keep = crop_to_voxels(part.points["coord"], self.grid_size, limit, rng)
                keep_points(part.points, keep)
        limits = self.max_voxels, self.grid_shift
        sample, index = point_views(
            parts, self.augmentation, self.feat_keys, self.grid_size, rng, *limits
        )
        if self.with_labels:
            sample["segment"] = np.concatenate([part.points["segment"] for part in parts])[index]
        if self.store:
            stored = np.concatenate([part.points["stored_probs"] for part in parts])
            sample["stored_probs"] = stored[index]
        by_depth = self.link_visibility == "depth"
        sample.update(point_pixel_links(parts, index, self.depth_tolerance, by_depth))
        sample.update(image_views(parts, *self.image_jitter, rng))
        sample.update(_tag_arrays(parts))
        return to_tensors(sample, name="+".join(self.scene_keys[i] for i in chosen))

    def _load_part(self, index, num_views, rng):
        """One source scene: its points after structure removal, its tags, its chosen views."""
        scene, key = self.scenes[index], self.scene_keys[index]
        points = self._read_points(scene, self.with_labels)
        if self.store:
            points["stored_probs"] = stored_probs(self.store, key, len(points["coord"]))
        views, tags = read_views(scene), self.tag_vector(key)
        hides = self.link_visibility == "zbuffer"
        surface = surface_of(points, self.grid_size) if hides else None  # what is removed hides on
        point_tags = tags
        if self.structures:
            keep, point_tags = self.structures.draw(
                points["coord"], points["region"], tags, views.axis_alignment, rng
            )
            keep_points(points, keep)
        chosen = sample_views(len(views), num_views, rng)
        own = self.view_tags.get(key, {})
        frames = views.frame[chosen].tolist()
        tagged = [frame in own for frame in frames]
        of_views = [tag_vector(own[f], self.table) if f in own else tags for f in frames]
        view_tags = np.array(of_views, np.float32).reshape(-1, len(self.names))
        tag_arrays = point_tags, tags, view_tags, np.array(tagged, bool)
        return Part(scene, points, views, chosen, *tag_arrays, surface)

    def _read_points(self, scene, with_labels):
        """Point arrays of a scene: coord, what is fed, region, and on demand segment."""
        file = self.table.label_file
        keys = dict.fromkeys(("coord", *self.feat_keys, *([file] * with_labels)))
        points = read_points(scene, keys)
        points["region"] = read_region(scene, len(points["coord"]))
        if with_labels:
            segment = points[file] if file in self.feat_keys else points.pop(file)
            points["segment"] = self.table.clean(segment.reshape(-1), scene / f"{file}.npy")
        return points

    # ------------------------------------------------------------------------- evaluation

    def _evaluation_sample(self, index):
        scene, key = self.scenes[index], self.scene_keys[index]
        labeled = (scene / f"{self.table.label_file}.npy").is_file()
        points = self._read_points(scene, labeled)
        grid_coord, first, inverse = voxelize(points["coord"], self.grid_size)
        views = read_views(scene)
        chosen = sample_views(len(views), self.num_views)
        color = [read_image(scene, views, view, "color") for view in chosen]
        # Without tags nothing is masked: evaluation goes on, training refuses such a scene.
        every = np.ones(len(self.names), np.float32)
        sample = {
            "coord": points["coord"][first],
            "grid_coord": grid_coord,
            "feat": point_features({k: points[k][first] for k in self.feat_keys}, self.feat_keys),
            "offset": np.array([len(first)]),
            "inverse": inverse,
            "origin_region": points["region"],
            "image": join_pixels([jitter_image(image) for image in color], 3),
            **view_arrays(views.size[chosen]),
            "scene_tags": (self.tag_vector(key) if key in self.scene_tags else every)[None],
        }
        if labeled:
            segment = points["segment"]
            sample.update(segment=segment[first], origin_segment=segment)
            sample["image_segment"] = self._image_segment(scene, views, chosen)
        return to_tensors(sample, name=key)

    def _image_segment(self, scene, views, chosen):
        """Labels (P,) of the pixels of the chosen views, IGNORE where a view has none."""
        return join_pixels(
            [
                read_image(scene, views, view, "label")
                if view_path(scene, views.frame[view], "label").is_file()
                else np.full(views.size[view], IGNORE, np.int32)
                for view in chosen
            ]
        )


def _tag_arrays(parts):
    """Tags of a sample: of its points after structure removal, of its images, of each view."""
    point_tags = np.stack([part.point_tags for part in parts])
    return {
        "point_tags": point_tags.max(0, keepdims=True),
        "teacher_tags": point_tags,
        "image_tags": np.stack([part.image_tags for part in parts]).max(0, keepdims=True),
        "view_tags": np.concatenate([part.view_tags for part in parts]),
        "view_tagged": np.concatenate([part.view_tagged for part in parts]),
    }


def to_tensors(arrays: Mapping[str, np.ndarray], **strings: str) -> dict:
    """Dict of numpy arrays to torch tensors: floats as float32, integer columns as int64.

    Columns of pixels (image_…) keep their 32 bits: they are many.
    """
    tensors = {}
    for key, array in arrays.items():
        array = np.ascontiguousarray(array)
        if array.dtype.kind == "f":
            array = array.astype(np.float32, copy=False)
        elif array.dtype.kind in "iu" and array.ndim == 1 and not key.startswith("image_"):
            array = array.astype(np.int64, copy=False)
        tensors[key] = torch.from_numpy(array)
    return {**tensors, **strings}
