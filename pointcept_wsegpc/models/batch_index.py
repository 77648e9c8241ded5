"""Ids and offsets of a batch: what is numbered per sample becomes unique over the batch.

Shapes: N student voxels and M teacher voxels of B samples with S source scenes (Mix3D has two in a
sample), V views with P pixels, L links, C classes; offsets hold cumulative ends. This module and
wsegpc.py are the only ones that know the keys of a batch, which datasets/multiview.py lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from ..losses.ragged import count_ids, scene_index
from .images import Stack, stack_views


@dataclass(frozen=True)
class BatchIndex:
    """Index of a batch: its samples, scenes, regions, links; built with one transfer to the host.

    All indices and ids count over the whole batch.
    """

    # On the batch's device, int64.
    point_sample: torch.Tensor  # (N,) of each student voxel
    view_sample: torch.Tensor  # (V,)
    teacher_row: torch.Tensor  # (N,) the teacher's voxel of each student voxel
    point_scene: torch.Tensor  # (N,) the source scene, whose tags under Mix3D are not the sample's
    teacher_scene: torch.Tensor  # (M,)
    point_region: torch.Tensor  # (N,) no two regions of the batch share an id; -1 = none
    pixel_region: torch.Tensor  # (P,) of the views, likewise
    link_point: torch.Tensor  # (L,) voxel of each link
    link_view: torch.Tensor  # (L,)
    pixel_offset: torch.Tensor  # (V,) ends of the views' pixels
    # On the host.
    views: list[int]  # number of each sample
    links: list[int]
    view_links: list[int]  # number of links of each view
    view_size: list[tuple[int, int]]  # (H, W)
    view_tagged: list[bool]  # has a view tags of its own?
    # Of each source scene (view) the number of teacher voxels (pixels), and whether it has any tag:
    # the `scenes` of `losses.tags.tag_softmax`.
    teacher_scenes: list[tuple[int, bool]]
    view_pixels: list[tuple[int, bool]]
    # Number of regions, and of points (pixels) outside of any, for `losses.consistency`.
    point_voters: tuple[int, int]
    pixel_voters: tuple[int, int]

    @classmethod
    def of(cls, batch: Mapping[str, torch.Tensor]) -> BatchIndex:
        """Index a training batch."""
        num_views = len(batch["view_size"])
        pixel_offset = batch["view_size"].prod(1).cumsum(0)
        point_sample = scene_index(batch["offset"], len(batch["coord"]))
        link_sample = scene_index(batch["link_offset"], len(batch["link_view"]))
        point_region, points = join_ids(batch["region"], point_sample, len(batch["offset"]))
        pixel_view = scene_index(pixel_offset, len(batch["image_region"]))
        pixel_region, pixels = join_ids(batch["image_region"], pixel_view, num_views)
        link_view = batch["link_view"] + _starts(batch["view_offset"])[link_sample]
        host = to_host(
            views=_sizes(batch["view_offset"]),
            links=_sizes(batch["link_offset"]),
            view_links=count_ids(link_view, num_views),
            view_tagged=batch["view_tagged"],
            view_size=batch["view_size"],
            scenes=_sizes(batch["teacher_offset"]),
            scene_tagged=(batch["teacher_tags"] > 0).any(1),
            pixels_tagged=(batch["view_tags"] > 0).any(1),
            voters=torch.stack([points, (point_region < 0).sum()]),
            pixel_voters=torch.stack([pixels, (pixel_region < 0).sum()]),
        )
        sample_start = _starts(batch["teacher_sample_offset"])
        view_size = _pairs(host["view_size"])
        pixels = [height * width for height, width in view_size]
        teacher_row = batch["teacher_row"] + sample_start[point_sample]
        teacher_scene = scene_index(batch["teacher_offset"], len(batch["teacher_coord"]))
        return cls(
            point_sample=point_sample,
            point_scene=teacher_scene[teacher_row],
            view_sample=scene_index(batch["view_offset"], num_views),
            teacher_row=teacher_row,
            teacher_scene=teacher_scene,
            point_region=point_region,
            pixel_region=pixel_region,
            link_point=batch["link_point"] + _starts(batch["offset"])[link_sample],
            link_view=link_view,
            pixel_offset=pixel_offset,
            views=host["views"],
            links=host["links"],
            view_links=host["view_links"],
            view_size=view_size,
            view_tagged=list(map(bool, host["view_tagged"])),
            teacher_scenes=_with_tags(host["scenes"], host["scene_tagged"]),
            view_pixels=_with_tags(pixels, host["pixels_tagged"]),
            point_voters=tuple(host["voters"]),
            pixel_voters=tuple(host["pixel_voters"]),
        )


def view_stacks(
    batch: Mapping[str, torch.Tensor],
    key: str = "image",
    sizes: Sequence[tuple[int, int]] | None = None,
) -> list[Stack]:
    """The images of a batch, "image" or "teacher_image", in stacks of one size.

    sizes: those of `BatchIndex.view_size`; without them the call waits for a GPU.
    """
    if sizes is None:
        sizes = _pairs(batch["view_size"].flatten().tolist())
    return stack_views(batch[key], sizes)


def cloud(batch: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The entries `<prefix>_<key>` of a batch under their plain names, for a backbone to read."""
    cut = len(prefix) + 1
    return {k[cut:]: v for k, v in batch.items() if k.startswith(f"{prefix}_")}


def join_ids(
    ids: torch.Tensor, group: torch.Tensor, num_groups: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids (N,) that start at 0 in every group (N,) -> ids (N,) without collision; their number ().

    Negative ids become -1. As `clouds.ids.join_ids`, on a GPU and without waiting for it.
    """
    ids = ids.long()
    last = torch.full((num_groups,), -1, device=ids.device).scatter_reduce(0, group, ids, "amax")
    ends = (last + 1).cumsum(0)
    number = ends[-1] if num_groups else ends.sum()
    return torch.where(ids < 0, -1, ids + _starts(ends)[group]), number


def to_host(**tensors: torch.Tensor) -> dict[str, list[int]]:
    """Integer tensors as lists, in one transfer, which waits for a GPU once."""
    flat = torch.cat([tensor.reshape(-1).long() for tensor in tensors.values()]).tolist()
    lists = {}
    for name, tensor in tensors.items():
        lists[name], flat = flat[: tensor.numel()], flat[tensor.numel() :]
    return lists


def _pairs(flat):
    return list(zip(flat[::2], flat[1::2], strict=True))


def _starts(offset):
    """First index of every sample, (B,), from the cumulative ends (B,)."""
    return torch.cat([offset.new_zeros(1), offset[:-1]])


def _sizes(offset):
    return torch.diff(offset, prepend=offset.new_zeros(1))


def _with_tags(sizes, tagged):
    return [(size, bool(any_tag)) for size, any_tag in zip(sizes, tagged, strict=True)]
