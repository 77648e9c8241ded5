"""Every variant of the model trains for two steps on tiny data, and no option is without effect."""

import functools
import itertools

import pytest
import small
import torch
from pointcept.datasets import build_dataset, collate_fn
from pointcept.models.builder import build_model

from pointcept_wsegpc.models.teacher import ema_update

KINDS = ("none", "contrastive", "affinity", "mse", "cam")
FORMS = ("region-point", "point-point", "region")
CAM = {"guidance_3d": "none", "guidance_2d": "none", "rpc_3d_weight": 0, "rpc_2d_weight": 0}
CMG = {"rpc_3d_weight": 0, "rpc_2d_weight": 0}
RPC = {"guidance_3d": "none", "guidance_2d": "none"}
ENCODER = small.model_config()["image_encoder"]
ARCHS = ("14A", "18C")
RESNETS = ("resnet34", "resnet50")
SLIM = {"planes": (8,) * 8, "stem_kernel_size": 3, "backend": "torch"}
MINK_UNET = {"type": "WSegPCMinkUNet", **SLIM}
STRUCTURES = {"ground": 1.0, "wall": 1.0}

# Name -> settings of the model, settings of the training data.
VARIANTS = {
    **{
        f"guidance {a}/{b}": ({**CMG, "guidance_3d": a, "guidance_2d": b}, {})
        for a, b in itertools.product(KINDS, KINDS)
        if "none" in (a, b) or a == b
    },
    **{
        f"{form}, {name}": ({**RPC, **weights, "consistency": form}, {})
        for form in FORMS
        for name, weights in {
            "3D": {"rpc_2d_weight": 0},
            "2D": {"rpc_3d_weight": 0},
            "both": {},
        }.items()
    },
    **{
        f"{kind} {threshold}": ({**RPC, "rpc_threshold": threshold, "rpc_adaptive": adaptive}, {})
        for kind, adaptive in {"fixed": False, "adaptive": True}.items()
        for threshold in (0.0, 0.4, 0.8, 0.9)
    },
    "whole": ({}, {}),
    "whole, 3D consistency": ({"rpc_2d_weight": 0}, {}),
    "mix3d": ({}, {"mix3d_prob": 1.0}),
    "structures": ({}, {"structure_removal": STRUCTURES}),
    "floor alone": ({}, {"structure_removal": {"ground": 1.0}}),
    "mix3d, structures, cam": (
        {"guidance_3d": "cam", "guidance_2d": "cam"},
        {"mix3d_prob": 1.0, "structure_removal": STRUCTURES},
    ),
    "1 view": ({}, {"num_views": 1}),
    "12 views": ({}, {"num_views": 12}),  # more than there are
    "frozen": ({"image_encoder": {**ENCODER, "frozen": True}}, {}),
    "frozen, affinity": (
        {"image_encoder": {**ENCODER, "frozen": True}, "guidance_2d": "affinity"},
        {},
    ),
    **{f"3D {arch}": ({"backbone": {**MINK_UNET, "arch": arch}}, {}) for arch in ARCHS},
    **{f"2D {name}": ({"image_encoder": {**ENCODER, "name": name}}, {}) for name in RESNETS},
    "full": ({**CAM, "cam_3d_weight": 0.0, "supervised_weight": 1.0}, {"with_labels": True}),
    "full, mix3d": ({**CAM, "supervised_weight": 1.0}, {"with_labels": True, "mix3d_prob": 1.0}),
}
SAME = {
    frozenset(("fixed 0.0", "adaptive 0.0")),  # nothing is below zero, whichever kind it is
    frozenset(("adaptive 0.8", "region-point, both")),  # the defaults
    frozenset(("frozen", "frozen, affinity")),  # no head learns from features
}


def expected_terms(settings):
    terms = {"cam_3d", "cam_2d"}
    for dim in ("3d", "2d"):
        if settings.get(f"guidance_{dim}") != "none":
            terms.add(f"guidance_{dim}")
        if settings.get(f"rpc_{dim}_weight", 1):
            terms |= {f"rpc_{dim}", f"rpc_{dim}_kept", f"rpc_{dim}_confidence"}
    if settings.get("supervised_weight"):
        terms.add("supervised")
    return terms | {"loss"}


def sharpen(network):
    """Random networks are sure of nothing: without this every threshold would keep nothing."""
    with torch.no_grad():
        network.point_head.weight *= 20
        network.image_head.weight *= 100


@pytest.fixture(scope="module")
def train(prepared_root):
    """train(name): outputs of the two steps of a variant, and its state in the end."""

    @functools.cache
    def run(name):
        changes, data = VARIANTS[name]
        dataset = build_dataset(small.dataset_config(prepared_root, **data))
        dataset.set_epoch(0, 0)
        batch = collate_fn([dataset[0], dataset[1]])
        torch.manual_seed(0)
        model = build_model(small.model_config(**changes)).train()
        sharpen(model.student), sharpen(model.teacher)
        trained = {k: p for k, p in model.named_parameters() if p.requires_grad}
        optimizer = torch.optim.SGD(trained.values(), lr=0.01)
        torch.manual_seed(1)
        outputs = []
        for _ in range(2):
            optimizer.zero_grad()
            output = model(batch)
            output["loss"].backward()
            # Pointcept's data-parallel training does not look for parameters without a gradient.
            assert [k for k, p in trained.items() if p.grad is None] == []
            assert all(p.grad.isfinite().all() for p in trained.values())
            optimizer.step()
            ema_update(model.teacher, model.student, 0.5)
            outputs.append({key: value.item() for key, value in output.items()})
        return outputs, {k: v.clone() for k, v in model.state_dict().items()}

    return run


@pytest.mark.parametrize("name", VARIANTS)
def test_trains(train, name):
    outputs, state = train(name)
    for output in outputs:
        assert set(output) == expected_terms(VARIANTS[name][0])
    used = {key for key in outputs[0] if outputs[0][key] > 0}
    off = {"cam_3d"} if VARIANTS[name][0].get("cam_3d_weight") == 0 else set()
    assert used >= set(outputs[0]) - off
    assert outputs[0]["loss"] != outputs[1]["loss"]
    assert all(v.isfinite().all() for v in state.values() if v.is_floating_point())


def test_no_option_is_without_effect(train):
    """The end of the second step differs between all variants."""
    weight = "student.point_head.weight", "student.image_head.weight"
    ends = {name: [train(name)[1][key] for key in weight] for name in VARIANTS}
    same = {
        frozenset((a, b))
        for a, b in itertools.combinations(VARIANTS, 2)
        if all(map(torch.equal, ends[a], ends[b]))
    }
    assert same == SAME


@pytest.mark.parametrize("kind", ["fixed", "adaptive"])
@pytest.mark.parametrize("dim", ["3d", "2d"])
def test_higher_thresholds_keep_less(train, kind, dim):
    kept = [train(f"{kind} {t}")[0][1][f"rpc_{dim}_kept"] for t in (0.0, 0.4, 0.8, 0.9)]
    assert kept[0] == 1 and kept == sorted(kept, reverse=True) and kept[-1] < kept[1]


def test_forms_of_consistency_keep_what_they_should(train):
    """Direct region labels differ from region-point consistency in nothing but the loss."""
    first = {form: train(f"{form}, both")[0][0] for form in FORMS}
    stats = ("rpc_3d_kept", "rpc_3d_confidence", "rpc_2d_kept", "rpc_2d_confidence")
    for key in stats:
        assert first["region"][key] == first["region-point"][key]
    # A mean is less sure than those that it is the mean of.
    assert first["point-point"]["rpc_3d_confidence"] > first["region-point"]["rpc_3d_confidence"]
    assert first["point-point"]["rpc_2d_confidence"] > first["region-point"]["rpc_2d_confidence"]
    # Cross-entropy is convex in the logits.
    for key in ("rpc_3d", "rpc_2d"):
        assert first["region"][key] < first["region-point"][key]


def test_frozen_images(prepared_root):
    """A frozen 2D network: no gradients, no other statistics, student and teacher alike."""
    dataset = build_dataset(small.dataset_config(prepared_root))
    encoder = {"name": "resnet10t", "weights": "none", "num_stages": 1, "frozen": True}
    model = build_model(small.model_config(image_encoder=encoder)).train()
    networks = model.student.image_encoder, model.teacher.image_encoder
    before = [{k: v.clone() for k, v in net.state_dict().items()} for net in networks]
    assert any(key.endswith("running_mean") for key in before[0])
    heads = {k: v.clone() for k, v in model.student.image_head.state_dict().items()}
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=0.1, weight_decay=0.1)
    for step in range(2):
        model.train()
        optimizer.zero_grad()
        model(collate_fn([dataset[step]]))["loss"].backward()
        assert all(p.grad is not None for p in parameters)
        optimizer.step()
        ema_update(model.teacher, model.student, 0.5)
    for net, state in zip(networks, before, strict=True):
        assert not any(module.training for module in net.modules())
        assert all(p.grad is None and not p.requires_grad for p in net.parameters())
        # The teacher averages equal numbers, which may round.
        for key, value in net.state_dict().items():
            torch.testing.assert_close(value, state[key], rtol=1e-6, atol=1e-7)
    assert all(torch.equal(v, before[0][k]) for k, v in networks[0].state_dict().items())
    assert not torch.equal(model.student.image_head.weight, heads["weight"])
