"""Mink U-Net: a residual U-Net on sparse voxels (Choy et al., 4D Spatio-Temporal ConvNets, 2019).

N points, C input channels, D output channels, B scenes.

A k=5 stem and four encoder levels at strides 2, 4, 8, 16, each a kernel-2 stride-2 convolution and
residual blocks; four decoder levels, each a kernel-2 inverse convolution, the skip of the same
stride, and residual blocks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from pointcept.models.builder import MODELS
from torch import nn

from ..losses.ragged import scene_index
from ..registry import check_choice
from ..renames import BACKBONE_KEYS, refuses_old
from .heads import init_head
from .sparse_conv import sparse_layers

STEM_CHANNELS = 32
COARSEST_STRIDE = 16

# Output channels of the four encoder and the four decoder levels, and residual blocks in each.
ARCHITECTURES = {
    "14A": ((32, 64, 128, 256, 128, 128, 96, 96), (1,) * 8),
    "18A": ((32, 64, 128, 256, 128, 128, 96, 96), (2,) * 8),
    "18C": ((32, 64, 128, 256, 192, 192, 128, 128), (2,) * 8),
    "34C": ((32, 64, 128, 256, 256, 128, 96, 96), (2, 3, 4, 6, 2, 2, 2, 2)),
}


class VoxelNorm(nn.BatchNorm1d):
    """Batch normalization over voxels; a single voxel has no variance and takes the running one.

    (Where a trainer turns it into SyncBatchNorm, all processes together need two voxels.)
    """

    def forward(self, features):
        if self.training and len(features) == 1:
            return F.batch_norm(
                features, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(features)


class ConvNorm(nn.Module):
    """A sparse convolution and its normalization; ``relu`` is left to the block where it adds."""

    def __init__(self, conv, channels, relu=True):
        super().__init__()
        self.conv = conv
        self.norm = VoxelNorm(channels)
        self.relu = relu

    def forward(self, x):
        x = self.conv(x)
        features = self.norm(x.features)
        return x.replace_feature(F.relu(features) if self.relu else features)


class BasicBlock(nn.Module):
    """Two k=3 convolutions around a shortcut, which is linear where the width changes."""

    def __init__(self, layers, in_channels, channels, indice_key):
        super().__init__()

        def conv(width):
            return layers.SubMConv3d(width, channels, 3, bias=False, indice_key=indice_key)

        self.first = ConvNorm(conv(in_channels), channels)
        self.second = ConvNorm(conv(channels), channels, relu=False)
        self.shortcut = nn.Identity()
        if in_channels != channels:
            self.shortcut = nn.Sequential(
                nn.Linear(in_channels, channels, bias=False), VoxelNorm(channels)
            )

    def forward(self, x):
        out = self.second(self.first(x))
        return out.replace_feature(F.relu(out.features + self.shortcut(x.features)))


@MODELS.register_module("WSegPCMinkUNet")
@refuses_old(BACKBONE_KEYS)
class MinkUNet(nn.Module):
    """Mink U-Net as a Pointcept backbone.

    arch: "14A", "18A", "18C" or "34C". ``planes`` (eight widths) and ``layers`` (eight block
    counts), in the order encoder 2, 4, 8, 16 then decoder 8, 4, 2, 1, replace those of the arch.
    num_classes: 0 returns features; otherwise a linear classifier follows them, which starts as
    classifier_init says, see heads.py.
    backend: "auto", "spconv" or "torch", see sparse_conv.py; weights are exchangeable.
    """

    def __init__(
        self,
        in_channels: int = 6,
        num_classes: int = 0,
        arch: str = "18A",
        planes: Sequence[int] | None = None,
        layers: Sequence[int] | None = None,
        stem_kernel_size: int = 5,
        backend: str = "auto",
        classifier_init: str = "uniform",
    ):
        super().__init__()
        planes, layers = _resolve(arch, planes, layers)
        self.in_channels = in_channels
        self.out_channels = num_classes if num_classes > 0 else planes[-1]
        sparse = sparse_layers(backend)
        self.sparse_tensor = sparse.SparseTensor

        def blocks(level, width, stride):
            key = f"stride{stride}"
            widths = [width] + [planes[level]] * layers[level]
            return nn.Sequential(*(BasicBlock(sparse, a, planes[level], key) for a in widths[:-1]))

        # The finest blocks share the stem's neighbours where its kernel is theirs.
        key = "stride1" if stem_kernel_size == 3 else "stem"
        stem = sparse.SubMConv3d(
            in_channels, STEM_CHANNELS, stem_kernel_size, bias=False, indice_key=key
        )
        self.stem = ConvNorm(stem, STEM_CHANNELS)
        self.down, self.encoder = nn.ModuleList(), nn.ModuleList()
        self.up, self.decoder = nn.ModuleList(), nn.ModuleList()
        widths = [STEM_CHANNELS, *planes[:4]]  # of the skips, at strides 1, 2, 4, 8, 16
        for level in range(4):
            width = widths[level]
            conv = sparse.SparseConv3d(
                width, width, 2, stride=2, bias=False, indice_key=f"down{level}"
            )
            self.down.append(ConvNorm(conv, width))
            self.encoder.append(blocks(level, width, 2 ** (level + 1)))
        for level in range(4, 8):
            fine = 7 - level  # the encoder step that is undone
            conv = sparse.SparseInverseConv3d(
                planes[level - 1], planes[level], 2, bias=False, indice_key=f"down{fine}"
            )
            self.up.append(ConvNorm(conv, planes[level]))
            self.decoder.append(blocks(level, planes[level] + widths[fine], 2**fine))
        self.classifier = nn.Linear(planes[-1], num_classes) if num_classes > 0 else nn.Identity()
        self._initialize()
        if num_classes > 0:
            init_head(self.classifier, classifier_init)

    def _initialize(self):
        """Kaiming normal over the fan out, written out because of the (D, k, k, k, C) layout."""
        for name, weight in self.named_parameters():
            if weight.dim() == 5 or (weight.dim() == 2 and "shortcut" in name):
                fan_out = weight.shape[0] * weight[0, ..., 0].numel()
                nn.init.normal_(weight, std=(2 / fan_out) ** 0.5)

    def forward(self, input_dict):
        """Return (N, out_channels) in the order of the input.

        input_dict: grid_coord (N, 3) int voxel coordinates, at most one point per voxel and scene
        (as GridSample leaves them: duplicates are not looked for, and their features would be
        undefined); feat (N, C); offset (B,) ends of the scenes.
        """
        x = self._voxels(input_dict["grid_coord"], input_dict["feat"], input_dict["offset"])
        x = self.stem(x)
        skips = []
        for down, encoder in zip(self.down, self.encoder, strict=True):
            skips.append(x)
            x = encoder(down(x))
        for up, decoder in zip(self.up, self.decoder, strict=True):
            x = up(x)
            skip = skips.pop()
            x = decoder(x.replace_feature(torch.cat((x.features, skip.features), dim=1)))
        return self.classifier(x.features)

    def _voxels(self, grid_coord, feat, offset):
        if len(feat) == len(grid_coord) == 0:
            raise ValueError(
                "MinkUNet got no points, expected at least one: the scenes are empty, or a crop "
                "left nothing of them; `wsegpc check` names empty scenes"
            )
        if feat.shape[1] != self.in_channels or len(feat) != len(grid_coord):
            raise ValueError(
                f"MinkUNet got feat {tuple(feat.shape)} and grid_coord {tuple(grid_coord.shape)}, "
                f"expected (N, {self.in_channels}) and (N, 3); "
                "check feat_keys of the Collect transform against in_channels"
            )
        low, high = grid_coord.aminmax(dim=0)
        # Whole coarse cells only: which voxels share a cell must not depend on the rest of the
        # batch. The extent too is a multiple of 16, so that one voxel can be halved four times.
        low = torch.div(low, COARSEST_STRIDE, rounding_mode="floor")
        extent = torch.div(high, COARSEST_STRIDE, rounding_mode="floor") - low + 1
        batch = scene_index(offset.to(feat.device), len(feat))
        indices = torch.cat((batch[:, None], grid_coord - low * COARSEST_STRIDE), dim=1).int()
        return self.sparse_tensor(
            feat, indices.contiguous(), (extent * COARSEST_STRIDE).tolist(), len(offset)
        )


def _resolve(arch, planes, layers):
    check_choice("arch", arch, ARCHITECTURES)
    defaults = ARCHITECTURES[arch]
    planes, layers = planes or defaults[0], layers or defaults[1]
    if len(planes) != 8 or len(layers) != 8 or min(layers) < 1:
        raise ValueError(
            f"planes {tuple(planes)} and layers {tuple(layers)}: expected eight of each, "
            "four encoder and four decoder levels, with at least one block per level"
        )
    return tuple(planes), tuple(layers)
