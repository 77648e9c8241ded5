"""Cross-modal guidance of the student: at point-pixel pairs, one branch supervises the other.

Shapes: P pairs of one scene, D feature channels, C classes; batches as datasets/multiview.py lists
them. The losses themselves are in losses/guidance.py.
"""

from typing import NamedTuple

import torch
from torch import nn

from ..losses import guidance as losses
from ..losses.ragged import scene_index
from ..losses.tags import row_tag_softmax
from .batch_index import shift_index
from .pairing import draw_pairs, sample_pixel_features

OF_FEATURES = {
    "contrastive": losses.contrastive_guidance,
    "affinity": losses.affinity_guidance,
    "mse": losses.mse_guidance,
}
KINDS = ("none", *OF_FEATURES, "cam")
# Those that compare features across the branches, and so need them in one width. Affinities are
# compared within each branch, classes are the same in both.
PROJECTED = ("contrastive", "mse")


class Side(NamedTuple):
    """What one branch has at the pairs of a scene; fields that no guidance reads are None."""

    features: torch.Tensor | None = None  # (P, D)
    logits: torch.Tensor | None = None  # (P, C)
    tags: torch.Tensor | None = None  # (P, C), of the pair's own scene, as they hold in this branch


def projection(kind, source_channels, target_channels):
    """The layer that brings the source's features to the target's width, where one is needed."""
    return nn.Linear(source_channels, target_channels) if kind in PROJECTED else None


def guidance_loss(source, target, kind, project, temperature):
    """Loss () of one direction at the pairs of a scene: `target` teaches `source`, both `Side`.

    The class prediction of "cam" is masked with the tags of the branch that learns: after structure
    removal they differ, and a class must not be taught where the tag loss calls it absent.
    """
    if kind == "cam":
        taught = row_tag_softmax(target.logits, source.tags)  # the loss detaches it
        return losses.cam_guidance(source.logits, taught)
    features = source.features if project is None else project(source.features)
    options = {"temperature": temperature} if kind == "contrastive" else {}
    return OF_FEATURES[kind](features, target.features, **options)


def paired_sides(batch, points, pixels, kinds, **pairing):
    """Draw the pairs of every scene and read both branches there.

    points, pixels: (features, logits) of the branches, as `TwoBranchNet` returns them. kinds: the
    guidances that will read the result. pairing: settings of `sample_pairs`.
    Returns for every scene of the batch the point and the pixel `Side`.
    """
    point, (view, row, col), sizes = draw_pairs(batch, **pairing)
    at_points, at_pixels = Side(), Side()
    # One gather each for the whole batch: a gather per scene would also mean, backwards, a
    # gradient of the size of all feature maps per scene.
    if set(kinds) - {"none", "cam"}:
        size = batch["image"].shape[-2:]
        features = sample_pixel_features(pixels[0], view, row, col, size)
        at_points = at_points._replace(features=points[0][point])
        at_pixels = at_pixels._replace(features=features)
    if "cam" in kinds:
        at_points = at_points._replace(logits=points[1][point], tags=voxel_tags(batch, point))
        logits = pixels[1][view, :, row, col]  # (P, C)
        at_pixels = at_pixels._replace(logits=logits, tags=batch["view_tags"][view])
    return list(zip(_by_scene(at_points, sizes), _by_scene(at_pixels, sizes), strict=True))


def _by_scene(side, sizes):
    absent = (None,) * len(sizes)
    return map(Side, *(absent if rows is None else rows.split(sizes) for rows in side))


def voxel_tags(batch, voxel):
    """Tags (P, C) of the source scenes of student voxels (P,), after structure removal."""
    teacher = shift_index(batch["teacher_index"], batch["offset"], batch["teacher_sample_offset"])
    return batch["teacher_tags"][scene_index(batch["teacher_offset"])[teacher[voxel]]]
