"""Sparse convolutions against dense ones, spconv against plain torch, and the U-Net around them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pointcept_wsegpc.host import ensure_pointcept

ensure_pointcept(quiet=True)

from pointcept.models.builder import MODELS  # noqa: E402

from pointcept_wsegpc.models.mink_unet import ARCHITECTURES, MinkUNet  # noqa: E402
from pointcept_wsegpc.models.sparse_conv import let_spconv_run_without_cuda, sparse_layers  # noqa: E402

SLIM = {"planes": (8, 8, 16, 16, 16, 8, 8, 8), "layers": (1,) * 8}


def available_backends():
    try:
        import spconv.pytorch  # noqa: F401
    except ImportError:
        return ["torch"]
    return ["torch", "spconv"]


BACKENDS = available_backends()
needs_spconv = pytest.mark.skipif("spconv" not in BACKENDS, reason="spconv is not installed")


def random_voxels(count, size, batch_size, seed=0):
    """Indices (N, 4) without duplicates, in random order."""
    generator = torch.Generator().manual_seed(seed)
    cells = torch.randperm(batch_size * size**3, generator=generator)[:count]
    shape = (batch_size, size, size, size)
    return torch.from_numpy(np.stack(np.unravel_index(cells.numpy(), shape), 1)).int()


def to_dense(features, indices, size, batch_size):
    dense = features.new_zeros(batch_size, size, size, size, features.shape[1])
    return dense.index_put(indices.long().unbind(1), features).permute(0, 4, 1, 2, 3)


def at_voxels(dense, indices):
    b, x, y, z = indices.long().unbind(1)
    return dense[b, :, x, y, z]


def conv_weight(layer):
    return layer.weight.permute(0, 4, 1, 2, 3)  # (D, C, k, k, k), as torch's dense layers have it


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("kernel", "count"), [(3, 90), (5, 90), (3, 128), (5, 1)])
def test_submanifold_is_a_dense_convolution_read_at_its_voxels(backend, kernel, count):
    layers = sparse_layers(backend)
    indices = random_voxels(count, 4, 2)
    features = torch.randn(count, 5, requires_grad=True)
    layer = layers.SubMConv3d(5, 7, kernel, bias=False, indice_key="a")
    out = layer(layers.SparseTensor(features, indices, [4, 4, 4], 2)).features
    dense = F.conv3d(to_dense(features, indices, 4, 2), conv_weight(layer), padding=kernel // 2)
    expected = at_voxels(dense, indices)
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=1e-4)
    probe = torch.randn_like(out)
    ours = torch.autograd.grad((out * probe).sum(), (features, layer.weight))
    theirs = torch.autograd.grad((expected * probe).sum(), (features, layer.weight))
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("count", [1, 50, 128])
def test_down_and_up_are_the_dense_strided_and_transposed_convolutions(backend, count):
    layers = sparse_layers(backend)
    indices = random_voxels(count, 4, 2)
    features = torch.randn(count, 3, requires_grad=True)
    down = layers.SparseConv3d(3, 6, 2, stride=2, bias=False, indice_key="d")
    up = layers.SparseInverseConv3d(6, 4, 2, bias=False, indice_key="d")
    coarse = down(layers.SparseTensor(features, indices, [4, 4, 4], 2))
    dense = F.conv3d(to_dense(features, indices, 4, 2), conv_weight(down), stride=2)
    torch.testing.assert_close(
        coarse.features, at_voxels(dense, coarse.indices), atol=1e-5, rtol=1e-4
    )
    assert len(coarse.features) == len(torch.unique(indices // torch.tensor([1, 2, 2, 2]), dim=0))
    out = up(coarse)
    assert torch.equal(out.indices.int(), indices)
    weight = conv_weight(up).transpose(0, 1)  # conv_transpose3d wants the inputs first
    expected = at_voxels(F.conv_transpose3d(dense, weight, stride=2), indices)
    torch.testing.assert_close(out.features, expected, atol=1e-5, rtol=1e-4)
    parameters = (features, down.weight, up.weight)
    probe = torch.randn_like(expected)
    ours = torch.autograd.grad((out.features * probe).sum(), parameters)
    theirs = torch.autograd.grad((expected * probe).sum(), parameters)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_neighbours_are_not_found_across_the_border_of_a_row_or_scene():
    layers = sparse_layers("torch")
    # The last cell of scene 0 and the first of scene 1, and two ends of neighbouring rows.
    indices = torch.tensor([[0, 2, 2, 2], [1, 0, 0, 0], [0, 0, 0, 2], [0, 0, 1, 0]]).int()
    layer = layers.SubMConv3d(1, 1, 3, indice_key="a")
    torch.nn.init.ones_(layer.weight)
    out = layer(layers.SparseTensor(torch.ones(4, 1), indices, [3, 3, 3], 2)).features
    assert out.flatten().tolist() == [1, 1, 1, 1]


def test_torch_gradients_numerically():
    layers = sparse_layers("torch")
    indices = random_voxels(12, 4, 1)
    layer = layers.SubMConv3d(2, 3, 3, indice_key="a").double()

    def run(features):
        return layer(layers.SparseTensor(features, indices, [4, 4, 4], 1)).features

    features = torch.randn(12, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(run, features)


def cloud(counts=(300, 200), seed=0, size=40):
    """Voxels of several scenes as Pointcept's collate gives them."""
    scenes = [random_voxels(n, size, 1, seed + i)[:, 1:] for i, n in enumerate(counts)]
    return {
        "grid_coord": torch.cat(scenes),
        "feat": torch.randn(sum(counts), 6, generator=torch.Generator().manual_seed(seed)),
        "offset": torch.tensor(counts).cumsum(0),
    }


def both_backends(make):
    """The same layers and weights from both sets: [(layers, [layer, ...]), ...]."""
    found = []
    for backend in ("torch", "spconv"):
        layers = sparse_layers(backend)
        modules = torch.nn.ModuleList(make(layers)).double()
        if found:
            modules.load_state_dict(found[0][1].state_dict())
        found.append((layers, modules))
    return found


def in_order(tensor):
    """Features of a sparse tensor sorted by voxel: backends list coarse voxels as they please."""
    return tensor.features[(tensor.indices.long() @ torch.tensor([64**3, 64**2, 64, 1])).argsort()]


LAYERS = {
    "submanifold": lambda s: [s.SubMConv3d(4, 6, 5, bias=False, indice_key="a")],
    "two of one key": lambda s: [
        s.SubMConv3d(4, 5, 3, bias=False, indice_key="a"),
        s.SubMConv3d(5, 6, 3, bias=False, indice_key="a"),
    ],
    "two levels and back": lambda s: [
        s.SparseConv3d(4, 6, 2, stride=2, bias=False, indice_key="a"),
        s.SparseConv3d(6, 7, 2, stride=2, bias=False, indice_key="b"),
        s.SubMConv3d(7, 7, 3, bias=False, indice_key="c"),
        s.SparseInverseConv3d(7, 6, 2, bias=False, indice_key="b"),
        s.SparseInverseConv3d(6, 5, 2, bias=False, indice_key="a"),
    ],
}


@needs_spconv
@pytest.mark.parametrize("count", [1, 60])
@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_agrees_with_spconv(name, count):
    """Forward and both gradients, in float64, from one voxel to all of them."""
    indices = random_voxels(count, 8, 2, seed=count)
    results = []
    for layers, modules in both_backends(LAYERS[name]):
        features = torch.randn(
            count, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64
        ).requires_grad_()
        out = layers.SparseTensor(features, indices, [8, 8, 8], 2)
        for layer in modules:
            out = layer(out)
        rows = in_order(out)
        probe = torch.randn(
            rows.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64
        )
        inputs = (features, *modules.parameters())
        results.append((rows, *torch.autograd.grad((rows * probe).sum(), inputs)))
    for ours, theirs in zip(*results, strict=True):
        assert ours.abs().sum() > 0
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@needs_spconv
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "settings",
    [
        SLIM,
        {**SLIM, "stem_kernel_size": 3},  # whose stem shares the neighbours of the finest blocks
        *(pytest.param({"arch": arch}, marks=pytest.mark.slow) for arch in ARCHITECTURES),
    ],
)
def test_the_unet_agrees_with_spconv(settings, training):
    """The same weights, forward, gradients of all of them and of the input, batch statistics.

    In float64: over so many layers float32 differs by more than a wrong kernel cell might.
    """
    batch = cloud((150, 90), size=24)
    weights = MinkUNet(backend="spconv", num_classes=3, **settings).state_dict()
    results = []
    for backend in ("torch", "spconv"):
        model = MinkUNet(backend=backend, num_classes=3, **settings)
        model.load_state_dict(weights)
        model = model.double().train(training)
        feat = batch["feat"].double().requires_grad_()
        out = model({**batch, "feat": feat})
        out.square().mean().backward()
        gradients = {name: p.grad for name, p in model.named_parameters()}
        buffers = dict(model.named_buffers())
        results.append({"out": out, "feat": feat.grad, **gradients, **buffers})
    ours, theirs = results
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        scale = max(1e-6, theirs[name].abs().max().item())
        torch.testing.assert_close(
            value, theirs[name], rtol=1e-6, atol=1e-8 * scale, msg=lambda m, n=name: f"{n}: {m}"
        )


@needs_spconv
@pytest.mark.skipif(torch.cuda.is_available(), reason="about spconv on CPU")
def test_spconv_on_cpu_adds_a_bias_in_eval_mode():
    """Networks of Pointcept have convolutions with one."""
    import spconv.pytorch as spconv

    for _ in range(2):  # once more must change nothing
        let_spconv_run_without_cuda()
    torch.manual_seed(0)
    indices = torch.unique(torch.randint(6, (80, 3)), dim=0).int()
    indices = torch.cat([torch.zeros(len(indices), 1, dtype=torch.int32), indices], dim=1)
    cloud = spconv.SparseConvTensor(torch.randn(len(indices), 4), indices, [6, 6, 6], 1)
    layer = spconv.SubMConv3d(4, 5, 3, bias=True)
    torch.nn.init.normal_(layer.bias)
    trained = layer(cloud).features
    with torch.no_grad():
        evaluated = layer.eval()(cloud).features
        layer.bias.zero_()
        unbiased = layer(cloud).features
    torch.testing.assert_close(evaluated, trained)
    assert not torch.allclose(evaluated, unbiased)


@pytest.fixture
def two_threads():
    threads = torch.get_num_threads()
    yield lambda: torch.set_num_threads(2)
    torch.set_num_threads(threads)


@needs_spconv
@pytest.mark.skipif(torch.cuda.is_available(), reason="about spconv on CPU")
def test_spconv_on_cpu_refuses_several_threads(two_threads):
    two_threads()
    with pytest.raises(ValueError, match="several threads"):
        MinkUNet(backend="spconv", **SLIM)(cloud())


def test_threads_do_not_change_the_torch_backend(two_threads):
    model, batch = MinkUNet(backend="torch", **SLIM).eval(), cloud()
    with torch.no_grad():
        one = model(batch)
        two_threads()
        torch.testing.assert_close(model(batch), one, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_parameter_gets_a_gradient(backend):
    model = MinkUNet(num_classes=4, backend=backend, **SLIM)
    logits = model(cloud())
    assert logits.shape == (500, 4)
    F.cross_entropy(logits, torch.arange(500) % 4).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_architectures(arch):
    planes, layers = ARCHITECTURES[arch]
    with torch.device("meta"):
        model = MODELS.build({"type": "WSegPCMinkUNet", "arch": arch})
        assert MinkUNet(arch=arch, num_classes=20).out_channels == 20
    assert model.out_channels == planes[-1]
    levels = (*model.encoder, *model.decoder)
    assert [len(level) for level in levels] == list(layers)
    assert [level[-1].second.norm.num_features for level in levels] == list(planes)


def test_initial_scale_follows_the_fan_out():
    model = MinkUNet(arch="34C", backend="torch")
    weight = model.encoder[3][0].second.conv.weight
    assert weight.std().item() == pytest.approx((2 / (256 * 27)) ** 0.5, rel=0.02)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("training", [True, False])
def test_one_voxel(backend, training):
    model = MinkUNet(backend=backend, **SLIM).train(training)
    out = model({**cloud((1,)), "grid_coord": torch.tensor([[-7, 3, 1000]])})
    assert out.shape == (1, 8) and out.isfinite().all()
    out.sum().backward()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_scene_does_not_depend_on_its_neighbours_or_place(backend):
    model, batch = MinkUNet(backend=backend, **SLIM).eval(), cloud()
    alone = {k: v[:300] for k, v in batch.items()} | {"offset": batch["offset"][:1]}
    shift = torch.cat((torch.full((300, 3), 16), torch.full((200, 3), -48)))
    moved = {**batch, "grid_coord": batch["grid_coord"] + shift}
    shuffle = torch.randperm(300)
    mixed = {**alone, "grid_coord": alone["grid_coord"][shuffle], "feat": alone["feat"][shuffle]}
    with torch.no_grad():
        expected = model(alone)
        for got in (model(batch)[:300], model(moved)[:300], model(mixed)[shuffle.argsort()]):
            torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def test_mixed_precision_gives_finite_gradients():
    model = MinkUNet(backend="torch", num_classes=3, **SLIM)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(cloud())
    logits.float().square().mean().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_empty_scene_in_the_batch():
    batch = cloud((50,))
    batch["offset"] = torch.tensor([0, 50, 50])
    assert MinkUNet(backend="torch", **SLIM)(batch).shape == (50, 8)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"arch": "50"}, "expected one of 14A"),
        ({"planes": (8, 8)}, "expected eight"),
        ({"backend": "minkowski"}, "expected one of auto"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        MinkUNet(**settings)


@pytest.mark.parametrize(
    ("layer", "settings", "message"),
    [
        ("SubMConv3d", {"kernel_size": 4}, "kernel_size 4, expected an odd one; take 5"),
        ("SubMConv3d", {"kernel_size": 3, "bias": True}, "bias=True; use bias=False or backend="),
        (
            "SparseConv3d",
            {"kernel_size": 3, "stride": 2},
            "kernel_size 3 and stride 2, expected equal ones; use backend='spconv'",
        ),
        (
            "SparseConv3d",
            {"kernel_size": 2, "stride": 2, "bias": True},
            "bias=True; use bias=False or backend='spconv'",
        ),
        (
            "SparseInverseConv3d",
            {"kernel_size": 2, "bias": True},
            "bias=True; use bias=False or backend='spconv'",
        ),
    ],
)
def test_what_the_torch_set_lacks_is_told_with_a_remedy(layer, settings, message):
    with pytest.raises(ValueError, match=message):
        getattr(sparse_layers("torch"), layer)(2, 3, indice_key="a", **settings)


@pytest.mark.parametrize("broken", [{"feat": torch.zeros(500, 3)}, {"feat": torch.zeros(9, 6)}])
def test_bad_input(broken):
    with pytest.raises(ValueError, match="in_channels"):
        MinkUNet(**SLIM)(cloud() | broken)


def test_no_voxels():
    with pytest.raises(ValueError, match=r"no points.*scenes are empty.*wsegpc check") as info:
        MinkUNet(**SLIM)(cloud((0,)))
    assert "feat_keys" not in str(info.value)
