"""Dense image features from any timm network whose stride can be traded for dilation.

V views of H x W pixels, D channels; the feature map is h x w = H/8 x W/8, rounded up.
"""

from __future__ import annotations

import functools
from pathlib import Path

import timm
import torch
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.layers import BatchNormAct2d
from timm.models.resnet import BasicBlock, Bottleneck
from torch import nn

from ..renames import ENCODER_KEYS, refuses_old
from .image_weights import load_weights


@refuses_old(ENCODER_KEYS)
class ImageEncoder(nn.Module):
    """A timm network at output stride 8, without its head.

    name: timm's, optionally with a weight tag, such as "resnet50" or "resnet50.tv_in1k".
    weights: "imagenet" (timm downloads them), "none" (a random start), or a file of weights, in
        any layout that image_weights.py names (timm, torchvision, MoCo, SwAV, DINO).
    num_stages: keep only so many stages (a ResNet's are layer1 to layer4); None keeps all.
    frozen: no gradients, and batch statistics stay as loaded whatever train() says.

    The last residual block of a ResNet loses its final ReLU, so that features may be negative: they
    are compared by their angle, which a ReLU would confine to one orthant.

    Raises ValueError for a network that timm does not know or cannot dilate and for weights that do
    not fit it, FileNotFoundError or ConnectionError where weights cannot be had: training never
    starts at random unasked.
    """

    def __init__(
        self,
        name: str = "resnet50",
        weights: str = "imagenet",
        output_stride: int = 8,
        num_stages: int | None = None,
        frozen: bool = False,
    ):
        super().__init__()
        settings = dict(_architecture(name, output_stride, num_stages), output_stride=output_stride)
        if weights == "imagenet":
            self.network = _download(name, settings)
        else:
            self.network = timm.create_model(name, pretrained=False, features_only=True, **settings)
        if weights not in ("imagenet", "none"):
            load_weights(self.network, name, Path(weights), known=_known_keys(name))
        self.out_channels = self.network.feature_info.channels()[-1]
        self.frozen = frozen
        for key, value in zip(("mean", "std"), _normalization(name), strict=True):
            statistic = torch.tensor(value)[:, None, None]
            self.register_buffer(key, statistic, persistent=False)
        _drop_last_relu(self.network)
        _separate_activations(self.network)
        if frozen:
            self.requires_grad_(False)
            self.eval()

    def train(self, mode=True):
        return super().train(mode and not self.frozen)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (V, 3, H, W), RGB in 0..1 -> (V, D, h, w)."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            return self.network((images - self.mean) / self.std)[-1]


def _normalization(name):
    """Mean and standard deviation of RGB in 0..1 that the network's weights were trained with."""
    known = timm.get_pretrained_cfg(name)
    return (known.mean, known.std) if known else (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)


def _architecture(name, output_stride, num_stages):
    """Check name and stages without building weights; return timm's ``out_indices`` setting."""
    if not timm.is_model(name):
        raise ValueError(f"timm {timm.__version__} knows no model {name!r}; see timm.list_models()")
    try:
        strides = _skeleton(name, output_stride).feature_info.reduction()
    except (TypeError, NotImplementedError, AssertionError, RuntimeError) as error:
        raise ValueError(
            f"{name} cannot give feature maps at output stride {output_stride} ({error}); "
            "take a convolutional network such as resnet50 or convnext_tiny"
        ) from error
    stem = sum(stride < 4 for stride in strides)  # levels before the first stage
    if num_stages is None:
        num_stages = len(strides) - stem
    if not 1 <= num_stages <= len(strides) - stem:
        raise ValueError(f"num_stages is {num_stages}, but {name} has 1 to {len(strides) - stem}")
    return {"out_indices": (stem + num_stages - 1,)}


@functools.cache
def _skeleton(name, output_stride=8):
    """The whole network without memory for its weights."""
    with torch.device("meta"):
        return timm.create_model(
            name, pretrained=False, features_only=True, output_stride=output_stride
        )


def _known_keys(name):
    """Keys of the whole network, as features and as a classifier: some layers belong to neither."""
    with torch.device("meta"):
        classifier = timm.create_model(name, pretrained=False)
    return {*_skeleton(name).state_dict(), *classifier.state_dict()}


def _download(name, settings):
    advice = "pass a local file (weights='/path/to/file') or weights='none' for a random start"
    # timm itself would only warn here, and start at random.
    if not timm.get_pretrained_cfg(name).has_weights:
        raise ValueError(f"timm has no ImageNet weights for {name}; {advice}")
    try:
        return timm.create_model(name, pretrained=True, features_only=True, **settings)
    except Exception as error:  # the hub's clients raise errors of many families
        reason = str(error).split("\n", 1)[0]
        raise ConnectionError(
            f"ImageNet weights of {name} could not be fetched ({reason}); {advice}"
        ) from error


def _separate_activations(network):
    """Turn timm's fused normalization-and-activation layers into a sequence of plain ones.

    torch.nn.SyncBatchNorm.convert_sync_batchnorm, which trainers apply for several GPUs, takes the
    fused layer for a plain batch norm and loses its activation without a word.
    """
    fused = [
        (module, name, child)
        for module in network.modules()
        for name, child in module.named_children()
        if isinstance(child, BatchNormAct2d)
    ]
    for parent, name, child in fused:
        norm = nn.BatchNorm2d(
            child.num_features, child.eps, child.momentum, child.affine, child.track_running_stats
        )
        norm.load_state_dict(child.state_dict())
        setattr(parent, name, nn.Sequential(norm, child.drop, child.act))


def _drop_last_relu(network):
    last = list(network.children())[-1]
    block = last[-1] if isinstance(last, nn.Sequential) else last
    if isinstance(block, Bottleneck):
        block.act3 = nn.Identity()
    elif isinstance(block, BasicBlock):
        block.act2 = nn.Identity()
