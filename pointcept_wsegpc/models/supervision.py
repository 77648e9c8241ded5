"""What consistency supervises the student with: the teacher's tag-masked predictions and regions.

Shapes: N student voxels, V views of H x W pixels, C classes.
"""

import torch

from ..losses.tags import pixel_rows, tag_softmax
from .batch import prefixed, shift_index, unique_ids


@torch.no_grad()
def teacher_points(teacher, batch):
    """Probabilities (N, C) at the student's voxels, absent classes 0; the voxels' regions."""
    logits = teacher.points(prefixed(batch, "teacher"))[1]
    probs = tag_softmax(logits, batch["teacher_tags"], batch["teacher_offset"])
    index = shift_index(batch["teacher_index"], batch["offset"], batch["teacher_sample_offset"])
    return probs[index], unique_ids(batch["region"], batch["offset"])


@torch.no_grad()
def teacher_pixels(teacher, batch):
    """Probabilities (V * H * W, C), each view with its own scene's tags; the pixels' regions."""
    logits = teacher.images(batch["teacher_image"])[1]
    ends = pixel_ends(logits)
    probs = tag_softmax(pixel_rows(logits), batch["view_tags"], ends)
    return probs, unique_ids(batch["image_region"].flatten(), ends)


def pixel_ends(maps):
    """Cumulative ends (V,) of the views' pixels, of maps (V, D, H, W)."""
    views, _, height, width = maps.shape
    return torch.arange(1, views + 1, device=maps.device) * (height * width)
