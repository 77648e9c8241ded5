"""Published layouts of 2D weights: what is loaded computes what the file's own network computes."""

import argparse

import pytest
import timm
import torch
from safetensors.torch import save_file  # timm needs it, too
from torch import nn

from pointcept_wsegpc.models.image_encoder import ImageEncoder

SIZE = (2, 3, 32, 40)


def randomize(network, seed=0):
    """Every tensor at random, batch statistics too: a key that is mixed up shows."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        noise = torch.randn(tensor.shape, generator=generator)
        if tensor.dim() == 4:  # convolutions keep the scale of their input
            tensor.copy_(noise * tensor[0].numel() ** -0.5)
        else:
            positive = name.endswith("running_var") or (tensor.dim() == 1 and "weight" in name)
            tensor.copy_(0.5 + noise.abs() if positive else 0.1 * noise)
    return network.eval()


@pytest.fixture(scope="module")
def resnet18():
    return randomize(timm.create_model("resnet18", num_classes=7))


@pytest.fixture(scope="module")
def images():
    return torch.randn(SIZE, generator=torch.Generator().manual_seed(1))


def as_trained(network, images):
    """RGB in 0..1 as the network's weights want it."""
    config = timm.data.resolve_model_data_config(network)
    mean, std = (torch.tensor(config[key])[:, None, None] for key in ("mean", "std"))
    return (images - mean) / std


@torch.no_grad()
def features_of(network, name, images):
    """Features of a whole timm network at output stride 8, its last ReLU included.

    timm's feature networks of other families than ResNets rename "a.0.b" to "a_0.b".
    """
    dilated = timm.create_model(name, features_only=True, output_stride=8)
    state = network.state_dict()
    names = {key.replace(".", "_", 1): key for key in state} | {key: key for key in state}
    dilated.load_state_dict({key: state[names[key]] for key in dilated.state_dict()})
    return dilated.eval()(as_trained(network, images))[-1]


@torch.no_grad()
def loaded_features(name, path, images):
    return ImageEncoder(name, weights=str(path)).eval()(images).relu()


def backbone(network):
    return {k: v for k, v in network.state_dict().items() if not k.startswith("fc.")}


def prefixed(prefix, state):
    return {prefix + key: value for key, value in state.items()}


def optimizer_state():
    layer = nn.Linear(2, 2)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    return optimizer.state_dict()


def moco(network, mlp):
    """MoCo's: query and key encoder and the queue, in DistributedDataParallel, and its training."""
    width = network.num_features
    fc = nn.Linear(width, 4)
    head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), fc) if mlp else fc
    query = backbone(network) | prefixed("fc.", head.state_dict())
    key = {name: torch.zeros_like(value) for name, value in query.items()}
    queue = {"queue": torch.randn(4, 16), "queue_ptr": torch.zeros(1, dtype=torch.long)}
    state = prefixed("encoder_q.", query) | prefixed("encoder_k.", key) | queue
    return {
        "epoch": 200,
        "arch": "resnet50",
        "state_dict": prefixed("module.", state),
        "optimizer": optimizer_state(),
    }


def swav(network, several_prototypes=False):
    """SwAV's and DeepCluster v2's: one flat state dict of a DistributedDataParallel network."""
    width = network.num_features
    projection = nn.Sequential(
        nn.Linear(width, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4)
    ).state_dict()
    prototype = nn.Linear(4, 5, bias=False).state_dict()
    inner = "prototypes.prototypes0." if several_prototypes else "prototypes."
    state = backbone(network) | prefixed("projection_head.", projection)
    return prefixed("module.", state | prefixed(inner, prototype))


def dino(network, ddp_teacher):
    """DINO's own checkpoint: two wrapped networks, the settings of the training, loss, scaler."""
    head = nn.ModuleDict(
        {"mlp": nn.Sequential(nn.Linear(network.num_features, 8), nn.GELU(), nn.Linear(8, 4))}
    ).state_dict()
    head |= {"last_layer.weight_g": torch.ones(9, 1), "last_layer.weight_v": torch.randn(9, 4)}
    teacher = prefixed("backbone.", backbone(network)) | prefixed("head.", head)
    student = {key: torch.zeros_like(value) for key, value in teacher.items()}
    return {
        "student": prefixed("module.", student),
        "teacher": prefixed("module.", teacher) if ddp_teacher else teacher,
        "optimizer": optimizer_state(),
        "epoch": 800,
        "args": argparse.Namespace(arch="resnet50", local_crops_scale=(0.05, 0.4), lr=0.03),
        "dino_loss": {"center": torch.zeros(1, 9)},
        "fp16_scaler": {"scale": 65536.0},
    }


LAYOUTS = {
    "timm": lambda network: network.state_dict(),
    "torchvision, without counters": lambda network: {
        k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")
    },
    "MoCo v1": lambda network: moco(network, mlp=False),
    "MoCo v2": lambda network: moco(network, mlp=True),
    "SwAV": swav,
    "DeepCluster v2": lambda network: swav(network, several_prototypes=True),
    "DINO, published": backbone,
    "DINO, full": lambda network: dino(network, ddp_teacher=False),
    "DINO, full, batch norm in the head": lambda network: dino(network, ddp_teacher=True),
    "DINO, student alone": lambda network: {
        "student": dino(network, ddp_teacher=True)["teacher"],
        "epoch": 3,
    },
}


def needs_safe_globals(layout):
    if layout.startswith("DINO, full") and not hasattr(torch.serialization, "safe_globals"):
        pytest.skip("torch before 2.5 cannot be told that argparse.Namespace is harmless")


def save_safetensors(content, path):
    save_file(content, path.with_suffix(".safetensors"))
    return path.with_suffix(".safetensors")


def save(content, path, zipped=True):
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    return path


FORMATS = {
    "zip": save,
    "old format": lambda content, path: save(content, path, zipped=False),
    "safetensors": save_safetensors,
}


@pytest.mark.parametrize(
    ("layout", "form"),
    [
        *((layout, "zip") for layout in LAYOUTS),
        *((layout, "old format") for layout in ("MoCo v1", "DINO, full")),
        ("SwAV", "safetensors"),
    ],
)
def test_layouts_give_the_features_of_their_network(layout, form, images, tmp_path):
    needs_safe_globals(layout)
    network = randomize(timm.create_model("test_resnet", num_classes=7))
    path = FORMATS[form](LAYOUTS[layout](network), tmp_path / "weights.pth.tar")
    expected = features_of(network, "test_resnet", images)
    assert expected.std() > 0.1
    assert torch.equal(loaded_features("test_resnet", path, images), expected)


@pytest.mark.parametrize(
    "name",
    [
        "resnet50",  # whose bottleneck blocks have other keys than those of ResNet-18
        "test_convnext",
        "test_efficientnet",
        "resnetv2_50",
    ],
)
def test_networks(name, images, tmp_path):
    network = randomize(timm.create_model(name, num_classes=3))
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    expected = features_of(network, name, images)
    with torch.no_grad():
        found = ImageEncoder(name, weights=str(tmp_path / "weights.pth")).eval()(images)
    assert torch.equal(found.relu(), expected.relu()) and expected.std() > 1e-3


def test_torchvision_computes_the_same(images, tmp_path):
    torchvision = pytest.importorskip("torchvision")
    network = randomize(
        torchvision.models.resnet50(replace_stride_with_dilation=[False, True, True])
    )
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    with torch.no_grad():
        layers = list(network.children())[:-2]  # without pooling and classifier
        resnet50 = timm.create_model("resnet50")
        expected = nn.Sequential(*layers)(as_trained(resnet50, images))
    found = loaded_features("resnet50", tmp_path / "weights.pth", images)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


# ----------------------------------------------------------------------- what is refused, one line


def refused(name, content, tmp_path, match):
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(ValueError, match=match) as error:
        ImageEncoder(name, weights=str(tmp_path / "weights.pth"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("resnet18", lambda _: [torch.zeros(3)], "list"),
        ("resnet18", lambda _: torch.zeros(3), "Tensor"),
        ("resnet18", lambda _: {"conv1.weight": 3, "epoch": 7}, "0 of 120.*epoch"),
        ("resnet18", lambda _: {0: torch.zeros(1)}, "unknown: 0"),
        ("resnet18", lambda _: {}, "0 of 120"),
        ("resnet18", lambda network: network, "not a file of tensors"),  # which is not run
        ("resnet18", lambda _: {"teacher": {"backbone.cls_token": torch.zeros(8)}}, "cls_token"),
        (
            "resnet18",
            lambda network: {"state_dict": prefixed("module.encoder_k.", backbone(network))},
            r"encoder_k\.conv1",
        ),
        ("resnet34", lambda network: network.state_dict(), r"missing.*layer1\.2\.conv1"),
        ("resnet50", lambda network: moco(network, mlp=True), r"missing.*layer1\.0\.conv1"),
        ("resnet18", lambda _: timm.create_model("resnet34").state_dict(), r"layer1\.2\.conv1"),
    ],
)
def test_what_is_no_such_network_is_refused(name, content, match, resnet18, tmp_path):
    refused(name, content(resnet18), tmp_path, match)


def test_a_broken_safetensors_file_is_refused(tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(b"\x00" * 20)
    with pytest.raises(ValueError, match="not a file of tensors"):
        ImageEncoder("resnet18", weights=str(tmp_path / "weights.safetensors"))


def test_old_torch_says_what_it_cannot_read(resnet18, tmp_path, monkeypatch):
    monkeypatch.delattr(torch.serialization, "safe_globals", raising=False)
    refused("resnet18", dino(resnet18, False), tmp_path, "not a file of tensors")
