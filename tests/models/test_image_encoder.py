"""The image encoder: stride, width, last ReLU, freezing, and where weights come from."""

import pytest
import timm
import torch

from pointcept_wsegpc.models.image_encoder import ImageEncoder


@pytest.fixture(scope="module")
def images():
    return torch.randn(2, 3, 48, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("name", "stages", "channels"),
    [
        ("resnet18", None, 512),
        ("resnet18", 3, 256),
        ("resnet18", 2, 128),
        ("resnet50", None, 2048),
        ("convnext_atto", None, 320),
    ],
)
def test_output_stride_8(name, stages, channels, images):
    encoder = ImageEncoder(name, weights="none", num_stages=stages).eval()
    with torch.no_grad():
        features = encoder(images)
    assert features.shape == (2, channels, 6, 8)
    assert encoder.out_channels == channels


@pytest.mark.parametrize(("name", "stages"), [("resnet18", None), ("resnet50", 2)])
def test_only_the_last_block_lacks_its_relu(name, stages, images):
    encoder = ImageEncoder(name, weights="none", num_stages=stages)
    for module in encoder.modules():  # timm starts each block's last normalization at zero
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)
    plain = timm.create_model(
        name, features_only=True, output_stride=8, out_indices=(0, stages or 4)
    )
    plain.load_state_dict(encoder.network.state_dict())
    features = encoder(images)
    stem, expected = plain((images - encoder.mean) / encoder.std)
    assert (features < 0).any() and (stem >= 0).all()
    torch.testing.assert_close(features.relu(), expected)


def test_activations_survive_synchronized_batch_norm(images):
    encoder = ImageEncoder("regnety_002", weights="none").eval()
    with torch.no_grad():
        expected = encoder(images)
        converted = torch.nn.SyncBatchNorm.convert_sync_batchnorm(encoder).eval()
        torch.testing.assert_close(converted(images), expected)
    norms = [m for m in converted.modules() if isinstance(m, torch.nn.SyncBatchNorm)]
    assert len(norms) > 10


def test_every_parameter_gets_a_gradient(images):
    encoder = ImageEncoder("resnet18", weights="none", num_stages=3)
    encoder(images).square().mean().backward()
    assert all(p.grad is not None for p in encoder.parameters())


def test_frozen_never_changes(images):
    encoder = ImageEncoder("resnet18", weights="none", num_stages=2, frozen=True)
    before = {k: v.clone() for k, v in encoder.state_dict().items()}
    encoder.train()
    features = encoder(images.requires_grad_(False))
    assert not features.requires_grad and not encoder.training
    assert not any(m.training for m in encoder.modules())
    assert all(torch.equal(v, before[k]) for k, v in encoder.state_dict().items())


@pytest.fixture(scope="module")
def resnet_state():
    torch.manual_seed(5)
    return timm.create_model("resnet18").state_dict()


@pytest.mark.parametrize(
    ("prefix", "wrapper"), [("", None), ("module.", "state_dict"), ("module.backbone.", "model")]
)
def test_local_file(tmp_path, resnet_state, prefix, wrapper):
    state = {prefix + k: v for k, v in resnet_state.items()}
    path = tmp_path / "weights.pth"
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, path)
    encoder = ImageEncoder("resnet18", weights=str(path), num_stages=3)
    for key, value in encoder.network.state_dict().items():
        assert torch.equal(value, resnet_state[key]), key


def test_file_that_does_not_fit(tmp_path, resnet_state):
    path = tmp_path / "weights.pth"
    broken = {k: v for k, v in resnet_state.items() if not k.startswith("layer4.1.")}
    torch.save(broken, path)
    with pytest.raises(ValueError, match=r"108 of 120 keys matched.*layer4\.1\.conv1"):
        ImageEncoder("resnet18", weights=str(path))
    torch.save(resnet_state | {"extra.weight": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r"unknown: extra\.weight"):
        ImageEncoder("resnet18", weights=str(path))
    torch.save(resnet_state | {"conv1.weight": torch.zeros(64, 1, 7, 7)}, path)
    with pytest.raises(ValueError, match=r"another shape: conv1\.weight"):
        ImageEncoder("resnet18", weights=str(path))


def test_file_missing_or_not_weights(tmp_path):
    with pytest.raises(FileNotFoundError, match="image weights"):
        ImageEncoder("resnet18", weights=str(tmp_path / "none.pth"))
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(ValueError, match="not a file of tensors"):
        ImageEncoder("resnet18", weights=str(tmp_path / "text.pth"))


def test_failed_download_names_the_way_out(monkeypatch):
    create = timm.create_model

    def offline(name, pretrained=False, **settings):
        if pretrained:
            raise OSError("Name or service not known\nmany more lines")
        return create(name, pretrained=False, **settings)

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(ConnectionError, match=r"could not be fetched.*weights='/path") as error:
        ImageEncoder("resnet18", weights="imagenet")
    assert "\n" not in str(error.value)


def test_no_published_weights_is_not_a_random_start():
    name = next(
        m for m in timm.list_models("resnet*") if not timm.get_pretrained_cfg(m).has_weights
    )
    with pytest.raises(ValueError, match="no ImageNet weights"):
        ImageEncoder(name, weights="imagenet")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "resnet5000"}, "knows no model"),
        ({"name": "vit_small_patch16_224"}, "output stride"),
        ({"name": "resnet18", "num_stages": 5}, "has 1 to 4"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        ImageEncoder(weights="none", **settings)
