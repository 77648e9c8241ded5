"""Checkpoints of Mink U-Nets that were trained with MinkowskiEngine, as checkpoints of ours.

k kernel size, C input channels, D output channels.

Names: of MinkowskiEngine's example network (examples/minkunet.py), and of the WSegPC authors'
checkpoints, which hold the same layers in numbered groups, beside the 2D network and projections.

Kernels: MinkowskiEngine stores (k^3, C, D). Its source (0.5.4, ``coordinate_at`` in
src/kernel_region.hpp, for CPU and GPU alike) says which cell a row belongs to: row i reads the
neighbour at offset (i % k, i // k % k, i // k^2) along x, y, z, so x runs fastest; for odd k the
offset counts from -(k // 2), for even k from 0, in units of the finer voxels. A strided convolution
reads the fine voxels at these offsets from its coarse voxel; a transposed one uses the pairs of the
strided one with their ends swapped (src/coordinate_map_manager.cpp, ``kernel_map``). Ours are
(D, k, k, k, C) with offsets ascending along x, y, z, and mean the same.

This was read in the source and is tested against a slow convolution that follows it. It was not run
against MinkowskiEngine itself, nor on a file that the authors published.
"""

import re

import torch

from .checkpoint import state_differences
from .mink_unet import ARCHITECTURES, MinkUNet

BLOCK = {
    "conv1": "first.conv",
    "norm1": "first.norm",
    "conv2": "second.conv",
    "norm2": "second.norm",
    "downsample.0": "shortcut.0",
    "downsample.1": "shortcut.1",
}
IN_BLOCK = re.compile(rf"(.+)\.(\d+)\.({'|'.join(map(re.escape, BLOCK))})")
BRANCHES = ("net_3d.", "net_2d.", "proj_3d.", "proj_2d.")
LEAF = re.compile(r"(.+?)\.(kernel|bias|bn\.\w+)")


def _example_modules():
    """{module of MinkowskiEngine's example: module of ours}."""
    names = {"conv0p1s1": "stem.conv", "bn0": "stem.norm", "final": "classifier"}
    for i in range(4):
        names[f"conv{i + 1}p{2**i}s2"] = f"down.{i}.conv"
        names[f"bn{i + 1}"] = f"down.{i}.norm"
        names[f"block{i + 1}"] = f"encoder.{i}"
        names[f"convtr{i + 4}p{2 ** (4 - i)}s2"] = f"up.{i}.conv"
        names[f"bntr{i + 4}"] = f"up.{i}.norm"
        names[f"block{i + 5}"] = f"decoder.{i}"
    return names


def _grouped_modules():
    """The same for the authors' groups; an activation takes a number and has no weights."""
    groups = [
        ("stem.conv", "stem.norm"),
        *((f"down.{i}.conv", f"down.{i}.norm", "relu", f"encoder.{i}") for i in range(4)),
        ("up.0.conv", "up.0.norm"),
        *((f"decoder.{i}", f"up.{i + 1}.conv", f"up.{i + 1}.norm") for i in range(3)),
    ]
    names = {f"layer{g}_3d.{i}": n for g, group in enumerate(groups) for i, n in enumerate(group)}
    return names | {"layer9_3d": "decoder.3", "cls_3d": "classifier"}


MODULES = _example_modules() | _grouped_modules()


def convert_kernel(kernel):
    """(k^3, C, D) in MinkowskiEngine's order of offsets -> (D, k, k, k, C) in ours."""
    cells, in_channels, out_channels = kernel.shape
    size = round(cells ** (1 / 3))
    if size**3 != cells:
        raise ValueError(f"a kernel has {cells} offsets; expected those of a cube: 8, 27, 125")
    # Row i = x + k y + k^2 z: the last of the unfolded axes is x.
    return kernel.reshape(size, size, size, in_channels, out_channels).permute(4, 2, 1, 0, 3)


def convert_network(state):
    """{key: tensor} of one MinkowskiEngine U-Net -> state of our `MinkUNet`, its classifier too.

    Raises ValueError for a key that is none of such a network, and where layers are missing.
    """
    converted = {}
    for key, value in state.items():
        name, leaf = _rename(key)
        if leaf == "kernel" and name.endswith(".conv"):
            value = convert_kernel(value)
        elif leaf == "kernel":  # of size 1: (C, D), with a leading 1 in older versions
            value = value.reshape(value.shape[-2:]).T
        elif leaf == "bias":
            value = value.flatten()
        leaf = {"kernel": "weight"}.get(leaf, leaf.removeprefix("bn."))
        converted[f"{name}.{leaf}"] = value.contiguous()
    _check(converted)
    return converted


def _rename(key):
    """Our module and their leaf ("kernel", "bias" or "bn.x") of one of their keys."""
    if match := LEAF.fullmatch(key):
        module, leaf = match.groups()
        if module in MODULES:
            return MODULES[module], leaf
        match = IN_BLOCK.fullmatch(module)
        if match and match[1] in MODULES:
            return f"{MODULES[match[1]]}.{match[2]}.{BLOCK[match[3]]}", leaf
    raise ValueError(
        f"key {key!r} is none of a Mink U-Net of basic blocks (14, 18, 34) as MinkowskiEngine's "
        "examples and the WSegPC authors name them"
    )


def network_settings(state):
    """Arguments of the `MinkUNet` that a converted state belongs to."""
    try:
        parts = [f"{part}.{i}" for part in ("encoder", "decoder") for i in range(4)]
        planes = tuple(state[f"{part}.0.second.conv.weight"].shape[0] for part in parts)
        stem, classes = state["stem.conv.weight"], len(state["classifier.weight"])
    except KeyError as error:
        raise ValueError(f"the checkpoint has no {error.args[0]} of a Mink U-Net") from error
    layers = tuple(len({k.split(".")[2] for k in state if k.startswith(f"{p}.")}) for p in parts)
    settings = {"in_channels": stem.shape[-1], "num_classes": classes}
    for arch, known in ARCHITECTURES.items():
        if known == (planes, layers):
            return {"arch": arch, **settings}
    return {"planes": planes, "layers": layers, **settings}


def _check(state):
    with torch.device("meta"):
        wanted = MinkUNet(**network_settings(state), backend="torch").state_dict()
    if found := state_differences(state, wanted):
        raise ValueError(
            f"the checkpoint is not a whole Mink U-Net: {found}; expected the state_dict of a "
            "whole network"
        )


def convert_checkpoint(checkpoint):
    """What a file holds -> (state of a Pointcept model, arguments of its Mink U-Net).

    Of stage one (the authors' "net_3d", "net_2d", "proj_3d", "proj_2d"): the state of `WSegPC`,
    student and teacher; where the file has only one of the two it serves as both. Of a network
    alone: the state of `DefaultSegmentor` around it.

    The authors' 2D network has no activation after its first normalization, and timm's, which ours
    is, has one: the 3D branch computes what theirs does, the 2D branch does not quite.
    """
    student, teacher = _networks(checkpoint)
    if not any(key.startswith("net_3d.") for key in student):
        backbone = convert_network(student)
        return _prefixed("backbone.", backbone), network_settings(backbone)
    settings = network_settings(convert_network(_below("net_3d.", student)))
    classes = settings.pop("num_classes")  # the classifier is the branch's head
    state = _prefixed("student.", _two_branches(student))
    state |= _prefixed("teacher.", _two_branches(teacher))
    state |= _prefixed("project_points.", _below("proj_3d.", student))
    state |= _prefixed("project_images.", _below("proj_2d.", student))
    for branch in ("3d", "2d"):
        state[f"threshold_{branch}.count"] = torch.zeros(classes, dtype=torch.int64)
    state["iteration"] = torch.zeros((), dtype=torch.int64)
    return state, settings


def _networks(checkpoint):
    """Student and teacher of a checkpoint, or of a bare state dict, without DDP's prefix."""
    if not isinstance(checkpoint, dict):
        raise ValueError(f"the file holds a {type(checkpoint).__name__}, expected a checkpoint")
    found = [checkpoint.get(key) for key in ("state_dict", "ema_state_dict")]
    found = [state for state in found if isinstance(state, dict)] or [checkpoint]
    found = [{str(k).removeprefix("module."): v for k, v in state.items()} for state in found]
    return found[0], found[-1]


def _two_branches(state):
    """The state of `TwoBranchNet` from one of the authors' two-branch networks."""
    foreign = [key for key in state if not key.startswith(BRANCHES)]
    if foreign:
        raise ValueError(f"key {foreign[0]!r} is none of the authors' network: {BRANCHES}")
    points = convert_network(_below("net_3d.", state))
    result = {}
    for key, value in points.items():
        own = key.replace("classifier.", "point_head.")
        result[own if own != key else f"backbone.{key}"] = value
    for key, value in _below("net_2d.", state).items():
        if key == "cls_2d.weight":
            result["image_head.weight"] = value
        else:
            result[f"image_encoder.network.{_image_key(key)}"] = value
    return result


def _image_key(key):
    """The authors' groups of a ResNet -> torchvision's and timm's names."""
    for group, name in (("layer0_2d.0.", "conv1."), ("layer0_2d.1.", "bn1.")):
        key = key.replace(group, name)
    return re.sub(r"^(layer[1-4])_2d\.", r"\1.", key)


def _prefixed(prefix, state):
    return {prefix + key: value for key, value in state.items()}


def _below(prefix, state):
    return {key.removeprefix(prefix): v for key, v in state.items() if key.startswith(prefix)}
