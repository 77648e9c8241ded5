"""The two branches that student and teacher share: points and images, each with a CAM head.

Shapes: N points of B scenes, V views of H x W pixels, C classes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from pointcept.models.builder import build_model
from torch import nn

from ..losses.distributed import world_size
from .heads import init_head
from .image_encoder import ImageEncoder
from .images import Stack


class Points(NamedTuple):
    """Output of the 3D branch for a batch."""

    features: torch.Tensor  # (N, D)
    logits: torch.Tensor  # (N, C), the class activation


class Images(NamedTuple):
    """Output of the 2D branch for a batch, in stacks of views of one size."""

    features: list[Stack]  # (v, D, h, w)
    logits: list[Stack]  # (v, C, H, W), the class activation at the images' own size


class TwoBranchNet(nn.Module):
    """A 3D backbone and a 2D encoder with one linear class-activation head each.

    Args:
        backbone: config of any registered Pointcept model that returns per-point features, as a
            tensor (N, D) or as a `Point` with `feat`, and that reads no more of a batch than coord,
            grid_coord, feat and offset.
        backbone_out_channels: D of its features; default: its attribute `out_channels`.
        image_encoder: arguments of `ImageEncoder`.
        num_classes: C.
        point_head_init: "uniform" or "kaiming", the 3D head's start, see heads.py.
    """

    def __init__(
        self,
        backbone: dict,
        image_encoder: dict,
        num_classes: int,
        backbone_out_channels: int | None = None,
        point_head_init: str = "uniform",
    ):
        super().__init__()
        self.backbone = build_model(backbone)
        self.point_channels = backbone_out_channels or getattr(self.backbone, "out_channels", None)
        if not isinstance(self.point_channels, int):
            raise ValueError(
                f"{backbone['type']} does not tell its feature width; "
                "expected backbone_out_channels=<width of its features> in the model config"
            )
        self.image_encoder = ImageEncoder(**image_encoder)
        self.image_channels = self.image_encoder.out_channels
        self.point_head = nn.Linear(self.point_channels, num_classes)
        self.image_head = nn.Conv2d(self.image_channels, num_classes, 1, bias=False)
        init_head(self.point_head, point_head_init)

    def forward(self, input_dict: dict, views: Sequence[Stack]) -> tuple[Points, Images]:
        """Both branches, of a batch of points and of its images (v, 3, H, W)."""
        return self.points(input_dict), self.images(views)

    def points(self, input_dict: dict) -> Points:
        """Features and class activation of a batch of points."""
        with _precision_of(self.backbone, input_dict["feat"].device.type):
            features = self.backbone(input_dict)
        features = features if isinstance(features, torch.Tensor) else features.feat
        return Points(features, self.point_head(features))

    def images(self, views: Sequence[Stack]) -> Images:
        """Feature maps and class activation of images (v, 3, H, W), stack by stack.

        The activation is stored channels-last: `pixel_rows` of it is a view, not a copy. Batch
        statistics are those of a stack.
        """
        if len(views) > 1 and self._meets_others():
            raise ValueError(
                f"images of {len(views)} sizes in a batch, of which every process may have another "
                "number, but the encoder's SyncBatchNorm needs the same in each; set "
                "sync_bn=False, or prepare all images in one size"
            )
        result = Images([], [])
        for positions, images in views:
            for stacks, maps in zip(result, self._image_stack(images), strict=True):
                stacks.append(Stack(positions, maps))
        return result

    def _image_stack(self, image):
        """Feature maps (v, D, h, w) and activation (v, C, H, W) of images of one size."""
        if len(image) == 0 and not self._meets_others():
            return self._no_images(image)
        features = self.image_encoder(image)
        activation = self.image_head(features).contiguous(memory_format=torch.channels_last)
        # align_corners, as `sample_pixel_features` reads the map: one geometry for both.
        activation = F.interpolate(
            activation, size=image.shape[-2:], mode="bilinear", align_corners=True
        )
        return features, activation

    def _meets_others(self):
        """Do the processes exchange batch statistics in the encoder, so that each must run it?"""
        layers = self.image_encoder.modules()
        return world_size() > 1 and any(isinstance(m, nn.SyncBatchNorm) for m in layers)

    def _no_images(self, image):
        """What `_image_stack` returns for no view, connected to every weight, as DDP requires.

        The encoder itself would turn its running statistics into NaN.
        """
        branch = (*self.image_encoder.parameters(), *self.image_head.parameters())
        nothing = 0 * sum(weight.sum() for weight in branch if weight.requires_grad)
        features = image.new_zeros(0, self.image_channels, 1, 1)
        activation = image.new_zeros(0, self.image_head.out_channels, *image.shape[-2:])
        return features + nothing, activation + nothing


def _precision_of(net, device):
    """Context in which a 3D network runs: that around it, unless spconv cannot run there.

    spconv casts to half only what trains. In eval mode, where a teacher always is, its layers meet
    what autocast has made half of with float32 weights, and stop.
    """
    layers = (layer for layer in net.modules() if type(layer).__module__.startswith("spconv."))
    if any(not layer.training for layer in layers):
        return torch.autocast(device, enabled=False)
    return contextlib.nullcontext()
