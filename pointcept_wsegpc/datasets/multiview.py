"""Multi-view scenes with scene-level tags: the training and evaluation samples of stage one.

Shapes: N student voxels, M teacher voxels, V views of H x W pixels, L links, C classes, and K
source scenes in a sample (2 under Mix3D, else 1). Coordinates in metres, pixel centres at integers.

A training sample is a dict of tensors; everything is concatenated by Pointcept's collate:
    coord (N, 3) · grid_coord (N, 3) · feat (N, 6) · offset (1,) · region (N,) from 0, -1 = none
    teacher_grid_coord (M, 3) · teacher_coord · teacher_feat · teacher_offset (K,)
    teacher_tags (K, C) · teacher_index (N,) teacher voxel of each student voxel
    teacher_sample_offset (1,)
    image, teacher_image (V, 3, H, W) · image_region (V, H, W) · view_offset (1,)
    image_tags (1, C) · view_tags (V, C) · tags (1, C) after structure removal
    link_view, link_point, link_row, link_col (L,) · link_offset (1,) · name
    segment (N,) with labels=True alone
A scene that no image shows has V = 0, and everything of its views is empty.
An evaluation sample has coord, grid_coord, feat, offset, image, view_offset, tags, name, inverse
(original point -> voxel), origin_region, and where labels exist segment, origin_segment and
image_label.
"""

import numpy as np
import torch
from pointcept.datasets.builder import DATASETS
from pointcept.datasets.transform import Compose
from torch.utils.data import Dataset

from ..clouds.voxels import crop_to_voxels, voxelize
from ..contracts.classes import IGNORE, ClassTable
from ..contracts.scene import read_points, read_region, scene_dirs
from ..contracts.tags import TAGS_FILE, read_scene_tags, tag_vector
from ..contracts.views import read_view_image, read_views, view_path
from ..transforms.images import IMAGENET_MEAN, IMAGENET_STD, prepare_images
from ..transforms.scenes import remove_structure
from ..transforms.views import point_features, sample_views
from .seeding import EpochSeeded
from .training import (
    POINT_KEYS,
    image_views,
    keep_points,
    point_pixel_links,
    point_views,
    read_chosen,
)


@DATASETS.register_module("WSegPCMultiViewDataset")
class MultiViewDataset(EpochSeeded, Dataset):
    """Prepared scenes (schema.py) with V views each and tags, from which alone stage one trains.

    Args:
        names: class names, in order; default: those of the data root's classes.json.
        split, data_root: which prepared scenes.
        mode: "train" (student and teacher views) or "eval" (as they are, labels where present).
        segment_key: file of the point labels, read in "eval", and in "train" only with `labels`;
            default: that of classes.json.
        tags_file: scene tags; default <data_root>/scene_tags.json.
        num_views: V. grid_size: voxel edge in m. depth_tolerance: of the point-pixel links, in m.
        teacher_view, student_view: Pointcept transforms of the points' geometry; the student's
            are applied on top of the teacher's. color_view: of the colours, applied once for the
            teacher and once more on top for the student.
        teacher_jitter, student_jitter: (brightness, contrast, saturation, hue) of the images.
        structures: {class name: (kind, probability)}, see transforms/scenes.py.
        mix3d: probability of mixing a second, other scene in.
        labels: read the point labels in training, too: for full supervision as a reference only.
        max_voxels: what the student or the teacher sees of a sample in training, both scenes of a
            mix together, has no more voxels than this, at least 2: a larger cloud is cut down
            around a random point, see transforms/views.py.
        loop: repetitions of the data set in one epoch.
    """

    def __init__(
        self,
        names=None,
        split="train",
        data_root="data/scannet_wsegpc",
        mode="train",
        segment_key=None,
        tags_file=None,
        num_views=6,
        grid_size=0.04,
        depth_tolerance=0.04,
        teacher_view=(),
        student_view=(),
        color_view=(),
        teacher_jitter=(0.15, 0.15, 0.15, 0.05),
        student_jitter=(0.3, 0.3, 0.3, 0.1),
        structures=None,
        mix3d=0.0,
        labels=False,
        image_mean=IMAGENET_MEAN,
        image_std=IMAGENET_STD,
        max_voxels=None,
        loop=1,
    ):
        if mode not in ("train", "eval"):
            raise ValueError(f"mode is {mode!r}; expected 'train' or 'eval'")
        if num_views < 1:
            raise ValueError(f"num_views is {num_views}; expected at least 1")
        if max_voxels is not None and max_voxels < 2:
            raise ValueError(f"max_voxels is {max_voxels}; expected at least 2, or None")
        self.init_seeding()
        self.scenes = scene_dirs(data_root, split)
        self.table = (
            ClassTable.read(data_root)
            if names is None
            else ClassTable(names, label_file=segment_key or "segment")
        )
        self.names = self.table.names
        self.mode = mode
        self.split = split
        self.segment_key = segment_key or self.table.label_file
        self.num_views = num_views
        self.grid_size = grid_size
        self.depth_tolerance = depth_tolerance
        self.teacher_view, self.student_view = Compose(teacher_view), Compose(student_view)
        self.color_view = Compose(color_view)
        self.teacher_jitter, self.student_jitter = teacher_jitter, student_jitter
        self.structures = {self.table.index(k): tuple(v) for k, v in (structures or {}).items()}
        self.mix3d = mix3d
        self.labels = labels
        self.normalization = image_mean, image_std
        self.max_voxels = max_voxels
        self.loop = loop if mode == "train" else 1
        self.tags_file = tags_file or self.scenes[0].parents[1] / TAGS_FILE
        self.scene_tags = read_scene_tags(self.tags_file)

    def __len__(self):
        return len(self.scenes) * self.loop

    def __getitem__(self, index):
        if self.mode == "eval":
            return self._evaluation_sample(index)
        with self.sample_rng(index) as rng:
            return self._training_sample(index % len(self.scenes), rng)

    def get_data_name(self, index):
        return self.scenes[index % len(self.scenes)].name

    def tag_vector(self, scene):
        """Tags (C,) float32 of a scene folder; KeyError where it is absent from the tags file."""
        if scene.name not in self.scene_tags:
            raise KeyError(f"scene {scene.name} is absent from {self.tags_file}; add its tags")
        return tag_vector(self.scene_tags[scene.name], self.table)

    # --------------------------------------------------------------------------- training

    def _training_sample(self, index, rng):
        chosen = [self.scenes[index]]
        if rng.random() < self.mix3d and len(self.scenes) > 1:
            other = index + rng.integers(1, len(self.scenes))  # never the scene itself
            chosen.append(self.scenes[other % len(self.scenes)])
        share = np.diff(np.linspace(0, self.num_views, len(chosen) + 1).astype(int))
        parts = [self._load_part(s, v, rng) for s, v in zip(chosen, share, strict=True)]
        if self.max_voxels:  # before two scenes are placed upon each other, so that these overlap
            for part in parts:
                limit = self.max_voxels // len(parts)
                keep_points(part, crop_to_voxels(part["coord"], self.grid_size, limit, rng))
        views = self.teacher_view, self.student_view, self.color_view
        sample, index = point_views(parts, *views, self.grid_size, rng, self.max_voxels)
        if self.labels:
            sample["segment"] = np.concatenate([part["segment"] for part in parts])[index]
        sample.update(point_pixel_links(parts, index, self.depth_tolerance))
        sample.update(
            image_views(parts, self.normalization, self.student_jitter, self.teacher_jitter, rng)
        )
        tags = np.stack([part["tags"] for part in parts])
        image_tags = np.stack([part["image_tags"] for part in parts])
        sample.update(
            tags=tags.max(0, keepdims=True),
            teacher_tags=tags,
            image_tags=image_tags.max(0, keepdims=True),
            view_tags=np.repeat(image_tags, [len(part["chosen"]) for part in parts], axis=0),
        )
        return to_tensors(sample, name="+".join(scene.name for scene in chosen))

    def _load_part(self, scene, num_views, rng):
        """One source scene: its points after structure removal, its tags, its chosen views."""
        part = read_points(scene, (*POINT_KEYS, *([self.segment_key] * self.labels)))
        if self.labels:
            part["segment"] = self._checked(part.pop(self.segment_key).reshape(-1), scene)
        part["region"] = read_region(scene, len(part["coord"]))
        views = read_views(scene)
        tags = self.tag_vector(scene)
        part.update(scene=scene, views=views, tags=tags, image_tags=tags)
        if self.structures:
            align = views.axis_alignment.astype(np.float32)
            aligned = part["coord"] @ align[:3, :3].T + align[:3, 3]
            keep, part["tags"] = remove_structure(
                aligned, part["region"], tags, self.structures, rng
            )
            keep_points(part, keep)
        part["chosen"] = sample_views(len(views), num_views, rng)
        return part

    def _checked(self, segment, scene):
        return self.table.clean(segment, f"{scene / self.segment_key}.npy")

    # ------------------------------------------------------------------------- evaluation

    def _evaluation_sample(self, index):
        scene = self.scenes[index]
        labelled = (scene / f"{self.segment_key}.npy").is_file()
        points = read_points(scene, (*POINT_KEYS, *([self.segment_key] * labelled)))
        grid_coord, first, inverse = voxelize(points["coord"], self.grid_size)
        views = read_views(scene)
        chosen = sample_views(len(views), self.num_views)
        color = read_chosen(scene, views, chosen, "color")
        tagged = scene.name in self.scene_tags
        sample = {
            "coord": points["coord"][first],
            "grid_coord": grid_coord,
            "feat": point_features(points["color"][first], points["normal"][first]),
            "offset": np.array([len(first)]),
            "inverse": inverse,
            "origin_region": read_region(scene, len(inverse)),
            "image": prepare_images(color, *self.normalization),
            "view_offset": np.array([len(chosen)]),
            # Without tags nothing is masked: evaluation goes on, training refuses such a scene.
            "tags": (self.tag_vector(scene) if tagged else np.ones(len(self.names), np.float32))[
                None
            ],
        }
        if labelled:
            segment = self._checked(points[self.segment_key].reshape(-1), scene)
            sample.update(segment=segment[first], origin_segment=segment)
            sample["image_label"] = self._image_labels(scene, views.frame[chosen], views.size)
        return to_tensors(sample, name=scene.name)

    def _image_labels(self, scene, frames, size):
        labels = np.full((len(frames), *size), IGNORE, np.int32)
        for frame, label in zip(frames, labels, strict=True):
            if view_path(scene, frame, "label").is_file():
                label[:] = read_view_image(scene, frame, "label", size)
        return labels


def to_tensors(arrays, **strings):
    """Dict of numpy arrays to torch tensors: floats as float32, integer columns as int64."""
    tensors = {}
    for key, array in arrays.items():
        array = np.ascontiguousarray(array)
        if array.dtype.kind == "f":
            array = array.astype(np.float32, copy=False)
        elif array.ndim == 1:
            array = array.astype(np.int64, copy=False)
        tensors[key] = torch.from_numpy(array)
    return {**tensors, **strings}
