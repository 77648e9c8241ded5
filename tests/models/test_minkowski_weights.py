"""Conversion of MinkowskiEngine's U-Nets, against a slow U-Net that follows its documented order.

The modules below carry MinkowskiEngine's names and shapes but no code of it; `SlowUNet` computes
from such a state with dictionaries of voxels, and enumerates offsets as kernel_region.hpp does: the
x axis first, odd kernels around the voxel, even ones from it on.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from cli import refused, wsegpc
from torch import nn

from pointcept_wsegpc.host import ensure_pointcept

ensure_pointcept(quiet=True)

from pointcept.models.builder import build_model  # noqa: E402

import pointcept_wsegpc.models.wsegpc  # noqa: E402, F401  registers it
from pointcept_wsegpc.models.mink_unet import ARCHITECTURES, MinkUNet  # noqa: E402
from pointcept_wsegpc.models.minkowski_weights import (  # noqa: E402
    convert_checkpoint,
    convert_kernel,
    convert_network,
    network_settings,
)

PLANES, LAYERS = (8, 8, 12, 16, 12, 8, 8, 10), (1, 2, 1, 1, 1, 1, 2, 1)

# ------------------------------------------------------------------- MinkowskiEngine's names


class Kernel(nn.Module):
    """A convolution as MinkowskiEngine stores it: (cells, C, D), of one cell (C, D)."""

    def __init__(self, size, in_channels, out_channels, bias=False):
        super().__init__()
        shape = (in_channels, out_channels) if size == 1 else (size**3, in_channels, out_channels)
        self.kernel = nn.Parameter(torch.randn(shape) * (size**3 * in_channels) ** -0.5)
        if bias:
            self.bias = nn.Parameter(torch.randn(1, out_channels))


class Norm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.bn = nn.BatchNorm1d(channels)
        nn.init.uniform_(self.bn.weight, 0.5, 1.5)
        nn.init.normal_(self.bn.bias)
        nn.init.normal_(self.bn.running_mean)
        nn.init.uniform_(self.bn.running_var, 0.5, 1.5)


class Block(nn.Module):
    def __init__(self, in_channels, channels):
        super().__init__()
        self.conv1, self.norm1 = Kernel(3, in_channels, channels), Norm(channels)
        self.conv2, self.norm2 = Kernel(3, channels, channels), Norm(channels)
        self.downsample = None
        if in_channels != channels:
            self.downsample = nn.Sequential(Kernel(1, in_channels, channels), Norm(channels))


class Example(nn.Module):
    """Parameters under the names of MinkowskiEngine's example U-Net."""

    def __init__(self, planes=PLANES, layers=LAYERS, in_channels=6, classes=5, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv0p1s1, self.bn0 = Kernel(5, in_channels, 32), Norm(32)
        widths = [32, *planes]
        for i in range(1, 5):
            width = widths[i - 1]
            self.add_module(f"conv{i}p{2 ** (i - 1)}s2", Kernel(2, width, width))
            self.add_module(f"bn{i}", Norm(width))
            self.add_module(f"block{i}", self.blocks(width, widths[i], layers[i - 1]))
        for i in range(4, 8):
            width = planes[i]
            self.add_module(f"convtr{i}p{2 ** (8 - i)}s2", Kernel(2, planes[i - 1], width))
            self.add_module(f"bntr{i}", Norm(width))
            self.add_module(f"block{i + 1}", self.blocks(width + widths[7 - i], width, layers[i]))
        self.final = Kernel(1, planes[-1], classes, bias=True)

    @staticmethod
    def blocks(in_channels, channels, count):
        return nn.Sequential(
            *(Block(channels if i else in_channels, channels) for i in range(count))
        )


def grouped(net):
    """The same layers in the groups of the authors' 3D branch."""
    relu = nn.ReLU()
    groups = nn.Module()
    groups.layer0_3d = nn.Sequential(net.conv0p1s1, net.bn0, relu)
    groups.layer1_3d = nn.Sequential(net.conv1p1s2, net.bn1, relu, net.block1)
    groups.layer2_3d = nn.Sequential(net.conv2p2s2, net.bn2, relu, net.block2)
    groups.layer3_3d = nn.Sequential(net.conv3p4s2, net.bn3, relu, net.block3)
    groups.layer4_3d = nn.Sequential(net.conv4p8s2, net.bn4, relu, net.block4)
    groups.layer5_3d = nn.Sequential(net.convtr4p16s2, net.bntr4, relu)
    groups.layer6_3d = nn.Sequential(net.block5, net.convtr5p8s2, net.bntr5, relu)
    groups.layer7_3d = nn.Sequential(net.block6, net.convtr6p4s2, net.bntr6, relu)
    groups.layer8_3d = nn.Sequential(net.block7, net.convtr7p2s2, net.bntr7, relu)
    groups.layer9_3d, groups.cls_3d = net.block8, net.final
    return groups


# ------------------------------------------------------------------------ the slow computation


def offsets(size):
    """Offset of every row of a kernel, in MinkowskiEngine's order."""
    along = range(size) if size % 2 == 0 else range(-(size // 2), size // 2 + 1)
    found = []
    for z in along:
        for y in along:
            for x in along:  # the first axis is incremented first
                found.append((x, y, z))
    return np.array(found)


def shifted(voxel, offset, stride):
    return (voxel[0], *(int(v) for v in np.array(voxel[1:]) + stride * offset))


def convolve(table, kernel, size, targets, stride):
    """{voxel: row}; each target reads the voxels at its offsets, `stride` apart."""
    out = {}
    for target in targets:
        out[target] = np.zeros(kernel.shape[-1])
        for offset, matrix in zip(offsets(size), kernel, strict=True):
            source = shifted(target, offset, stride)
            if source in table:
                out[target] += table[source] @ matrix
    return out


def coarser(voxels, stride):
    return sorted({(b, *(int(np.floor(v / stride)) * stride for v in xyz)) for b, *xyz in voxels})


def transpose(table, kernel, targets, stride):
    """The pairs of the strided convolution with their ends swapped: coarse voxels write."""
    out = {target: np.zeros(kernel.shape[-1]) for target in targets}
    for voxel, row in table.items():
        for offset, matrix in zip(offsets(2), kernel, strict=True):
            target = shifted(voxel, offset, stride)
            if target in out:
                out[target] += row @ matrix
    return out


class SlowUNet:
    """The example network in eval mode, from a state of numpy arrays under its names."""

    def __init__(self, state):
        self.state = {key: value.double().numpy() for key, value in state.items()}

    def norm(self, table, name, relu=True):
        weight, bias, mean, var = (
            self.state[f"{name}.bn.{key}"]
            for key in ("weight", "bias", "running_mean", "running_var")
        )
        rows = {v: (x - mean) / np.sqrt(var + 1e-5) * weight + bias for v, x in table.items()}
        return {v: np.maximum(x, 0) for v, x in rows.items()} if relu else rows

    def block(self, table, name, stride):
        conv1, conv2 = (self.state[f"{name}.conv{i}.kernel"] for i in (1, 2))
        out = self.norm(convolve(table, conv1, 3, table, stride), f"{name}.norm1")
        out = self.norm(convolve(out, conv2, 3, table, stride), f"{name}.norm2", relu=False)
        if f"{name}.downsample.0.kernel" in self.state:
            matrix = self.state[f"{name}.downsample.0.kernel"]
            table = {v: x @ matrix for v, x in table.items()}
            table = self.norm(table, f"{name}.downsample.1", relu=False)
        return {v: np.maximum(out[v] + table[v], 0) for v in table}

    def level(self, table, name, stride):
        i = 0
        while f"{name}.{i}.conv1.kernel" in self.state:
            table = self.block(table, f"{name}.{i}", stride)
            i += 1
        return table

    def __call__(self, table):
        """{(batch, x, y, z): features} -> ({voxel: last features}, {voxel: logits})."""
        kernel = self.state["conv0p1s1.kernel"]
        table = self.norm(convolve(table, kernel, 5, table, 1), "bn0")
        skips = []
        for i in range(1, 5):
            stride = 2 ** (i - 1)  # of the input's voxels
            skips.append(table)
            kernel = self.state[f"conv{i}p{stride}s2.kernel"]
            table = convolve(table, kernel, 2, coarser(table, 2 * stride), stride)
            table = self.level(self.norm(table, f"bn{i}"), f"block{i}", 2 * stride)
        for i in range(4, 8):
            stride = 2 ** (7 - i)  # of the output's voxels
            skip = skips.pop()
            kernel = self.state[f"convtr{i}p{2 * stride}s2.kernel"]
            table = self.norm(transpose(table, kernel, skip, stride), f"bntr{i}")
            table = {v: np.concatenate((table[v], skip[v])) for v in skip}
            table = self.level(table, f"block{i + 1}", stride)
        final, bias = self.state["final.kernel"], self.state["final.bias"]
        return table, {v: (x @ final + bias)[0] for v, x in table.items()}


# -------------------------------------------------------------------------------------- kernels


def voxels(count, low, high, batches=2, seed=0):
    """(M, 4) distinct voxels of some scenes, negative coordinates among them, scene by scene."""
    generator = np.random.default_rng(seed)
    cells = generator.integers(low, high, (count, 4))
    cells[:, 0] = generator.integers(0, batches, count)
    return np.unique(cells, axis=0)


def test_order_of_offsets_by_hand():
    marked = torch.arange(8.0).reshape(8, 1, 1)  # row 1 is one step along x, row 4 along z
    weight = convert_kernel(marked)[0, ..., 0]
    assert weight[1, 0, 0] == 1 and weight[0, 1, 0] == 2 and weight[0, 0, 1] == 4
    center = convert_kernel(torch.arange(27.0).reshape(27, 1, 1))[0, ..., 0]
    assert center[1, 1, 1] == 13 and center[0, 1, 1] == 12 and center[1, 1, 0] == 4


def test_kernel_of_no_cube():
    with pytest.raises(ValueError, match="7 offsets; expected those of a cube"):
        convert_kernel(torch.zeros(7, 2, 2))  # a cross


# ----------------------------------------------------------------------------- the whole network


def batch_of(indices, seed=1):
    features = torch.randn(len(indices), 6, generator=torch.Generator().manual_seed(seed))
    counts = torch.from_numpy(np.bincount(indices[:, 0]))
    batch = {
        "grid_coord": torch.from_numpy(indices[:, 1:]),
        "feat": features,
        "offset": counts.cumsum(0),
    }
    table = dict(zip(map(tuple, indices.tolist()), features.double().numpy(), strict=True))
    return batch, table


@pytest.fixture(scope="module")
def example():
    """The example network, a batch around the origin, and what the network makes of it."""
    net = Example()
    indices = voxels(70, -7, 9)
    batch, table = batch_of(indices)
    features, logits = SlowUNet(net.state_dict())(table)
    return net, batch, np.stack([features[v] for v in table]), np.stack([logits[v] for v in table])


@torch.no_grad()
def assert_computes(model, batch, expected):
    out = model.eval()(batch)
    assert expected.std() > 0.1
    torch.testing.assert_close(out, torch.from_numpy(expected).float(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("backend", ["torch", "spconv"])
@pytest.mark.parametrize("names", ["example", "grouped"])
def test_network_computes_the_same(example, names, backend):
    if backend == "spconv":
        pytest.importorskip("spconv")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # spconv's CPU code is wrong with more
    net, batch, _, logits = example
    state = (net if names == "example" else grouped(net)).state_dict()
    converted = convert_network(state)
    assert network_settings(converted) == {
        "planes": PLANES, "layers": LAYERS, "in_channels": 6, "num_classes": 5,
    }  # fmt: skip
    model = MinkUNet(6, 5, planes=PLANES, layers=LAYERS, backend=backend)
    model.load_state_dict(converted)
    assert_computes(model, batch, logits)
    torch.set_num_threads(threads)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_architectures_are_recognized(arch):
    planes, layers = ARCHITECTURES[arch]
    with torch.device("meta"):
        converted = convert_network(Example(planes, layers, classes=20).state_dict())
    assert network_settings(converted) == {"arch": arch, "in_channels": 6, "num_classes": 20}


def test_older_kernels_of_size_one(example):
    """Once they were stored as (1, C, D)."""
    state = example[0].state_dict()
    older = {k: v[None] if k.endswith("kernel") and v.dim() == 2 else v for k, v in state.items()}
    assert sum(older[k].shape != state[k].shape for k in state) > 3
    new, old = convert_network(state), convert_network(older)
    assert new.keys() == old.keys() and all(torch.equal(new[k], old[k]) for k in new)


@pytest.mark.parametrize("ddp", ["", "module."])
@pytest.mark.parametrize("bare", [False, True])
def test_segmentation_network(example, ddp, bare):
    net, batch, _, logits = example
    state = {ddp + key: value for key, value in net.state_dict().items()}
    found, settings = convert_checkpoint(state if bare else {"state_dict": state, "epoch": 3})
    backbone = {"type": "WSegPCMinkUNet", **settings}
    model = build_model({"type": "DefaultSegmentor", "backbone": backbone})
    model.load_state_dict(found)
    assert_computes(model.backbone, batch, logits)


# ------------------------------------------------------------------------------- the stage one


class Authors(nn.Module):
    """Parameters under the names of the authors' two-branch network, with a ResNet-18."""

    def __init__(self, seed=0):
        super().__init__()
        import timm

        self.net_3d = grouped(Example(seed=seed))
        resnet = timm.create_model("resnet18")
        self.net_2d = nn.Module()
        self.net_2d.layer0_2d = nn.Sequential(resnet.conv1, resnet.bn1, resnet.maxpool)
        for i in range(1, 5):
            self.net_2d.add_module(f"layer{i}_2d", getattr(resnet, f"layer{i}"))
        self.net_2d.cls_2d = nn.Conv2d(512, 5, 1, bias=False)
        self.proj_3d, self.proj_2d = nn.Linear(PLANES[-1], 512), nn.Linear(512, PLANES[-1])


@pytest.fixture(scope="module")
def authors():
    return Authors(seed=0), Authors(seed=3)


def stage_one(settings):
    return build_model(
        {
            "type": "WSegPC",
            "num_classes": 5,
            "backbone": {"type": "WSegPCMinkUNet", **settings},
            "image_encoder": {"name": "resnet18", "weights": "none"},
        }
    )


def test_stage_one(authors, example):
    student, teacher = (net.state_dict() for net in authors)
    checkpoint = {
        "epoch": 25,
        "state_dict": {f"module.{key}": value for key, value in student.items()},
        "ema_state_dict": teacher,
        "optimizer_2d": "",
        "best_iou_3D": 0.5,
    }
    state, settings = convert_checkpoint(checkpoint)
    model = stage_one(settings)
    model.load_state_dict(state)  # strict: every entry, no other
    _, batch, features, logits = example
    with torch.no_grad():
        found = model.eval().student.points(batch)
    for ours, slow in zip(found, (features, logits), strict=True):
        torch.testing.assert_close(ours, torch.from_numpy(slow).float(), rtol=1e-3, atol=1e-3)
    for net, source in ((model.student, student), (model.teacher, teacher)):
        image = net.image_encoder.network.state_dict()
        assert torch.equal(image["conv1.weight"], source["net_2d.layer0_2d.0.weight"])
        assert torch.equal(image["bn1.running_var"], source["net_2d.layer0_2d.1.running_var"])
        key = "layer4.1.conv2.weight"
        assert torch.equal(image[key], source[f"net_2d.{key.replace('layer4', 'layer4_2d')}"])
        assert torch.equal(net.image_head.weight, source["net_2d.cls_2d.weight"])
        assert torch.equal(net.point_head.bias, source["net_3d.cls_3d.bias"][0])
    assert torch.equal(model.project_points.weight, student["proj_3d.weight"])
    assert torch.equal(model.project_images.weight, student["proj_2d.weight"])
    kernels = [s["net_3d.layer0_3d.0.kernel"] for s in (student, teacher)]
    assert not torch.equal(*kernels)


@pytest.mark.parametrize("which", ["state_dict", "ema_state_dict"])
def test_stage_one_with_one_network_only(authors, which):
    other = {"ema_state_dict": ""} if which == "state_dict" else {}  # what a CMG training saves
    state, _ = convert_checkpoint({which: authors[0].state_dict(), "epoch": 1, **other})
    for key, value in state.items():
        if key.startswith("student."):
            assert torch.equal(state[key.replace("student.", "teacher.", 1)], value)


# ---------------------------------------------------------------------------------- refusals, tool


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda s: s | {"block1.0.conv3.kernel": torch.zeros(8, 8)}, r"key 'block1\.0\.conv3"),
        (lambda s: s | {"head.weight": torch.zeros(1)}, r"key 'head\.weight' is none of"),
        (lambda s: {k: v for k, v in s.items() if "convtr6" not in k}, r"1 missing \(up\.2\.conv"),
        (lambda s: {k: v for k, v in s.items() if "final" not in k}, r"no classifier\.weight"),
        (
            lambda s: s | {"bn1.bn.bias": torch.zeros(9)},
            r"1 of another shape \(down\.0\.norm\.bias",
        ),
        (lambda s: {"state_dict": {}, "epoch": 3}, "has no encoder"),
    ],
)
def test_what_is_no_such_network_is_refused(example, change, match):
    with pytest.raises(ValueError, match=match) as error:
        convert_checkpoint(change(example[0].state_dict()))
    assert "\n" not in str(error.value)


def test_a_foreign_part_of_a_stage_one_is_refused(authors):
    with pytest.raises(ValueError, match=r"key 'net_4d\.x' is none of the authors'"):
        convert_checkpoint(authors[0].state_dict() | {"net_4d.x": torch.zeros(1)})


def test_the_command(example, tmp_path):
    source, out = tmp_path / "model_best.pth.tar", tmp_path / "exp/model/model_last.pth"
    torch.save({"state_dict": example[0].state_dict(), "args": Path("x")}, source)
    assert "--trust" in refused("convert-checkpoint", source, out) and not out.exists()
    result = wsegpc("convert-checkpoint", source, out, "--trust")
    assert result.exit_code == 0, result.stderr
    assert "planes=(8, 8, 12," in result.stdout
    saved = torch.load(out, weights_only=True)
    expected = convert_checkpoint(example[0].state_dict())[0]
    assert saved["epoch"] == 0 and saved["state_dict"].keys() == expected.keys()
