"""What supervises consistency: the teacher, stored labels, both, or somebody's own source."""

import pytest
import small
import torch
from pointcept.datasets import collate_fn
from pointcept.models.builder import build_model
from toy_samples import C, toy_sample

from pointcept_wsegpc.losses.consistency import CONSISTENCY, AdaptiveThreshold
from pointcept_wsegpc.losses.guidance import GUIDANCE
from pointcept_wsegpc.models.batch_index import BatchIndex
from pointcept_wsegpc.models.label_sources import LABEL_SOURCES, mask_stored

SIZES = ((32, 32), (32, 48))


@pytest.fixture
def batch():
    samples = [toy_sample(seed, SIZES) for seed in range(2)]
    for sample in samples:
        sample["stored_probs"] = torch.rand(len(sample["coord"]), C)
        sample["stored_probs"][::4] = 0  # points without a stored label
    return collate_fn(samples)


def make(**settings):
    torch.manual_seed(0)
    return build_model(small.model_config(num_classes=C, rpc_warmup_iters=0, **settings)).train()


def losses(batch, **settings):
    torch.manual_seed(1)
    return {key: value.item() for key, value in make(**settings)(batch).items()}


def test_stored_labels_replace_the_teacher_in_3d(batch):
    stored, taught = losses(batch, label_source="stored"), losses(batch)
    changed = {key for key in stored if stored[key] != taught[key]}
    assert changed == {"loss", "rpc_3d", "rpc_3d_kept", "rpc_3d_confidence"}
    index, model = BatchIndex.of(batch), make()
    probs = batch["stored_probs"] * batch["teacher_tags"][index.point_scene]
    probs = probs / probs.sum(1, keepdim=True).clamp(min=1e-9)
    logits = model.student.points(batch).logits
    expected, stats = CONSISTENCY.get("region-point")(
        logits, probs, index.point_region, AdaptiveThreshold(C)
    )
    assert stored["rpc_3d"] == pytest.approx(expected.item(), rel=1e-5)
    assert stored["rpc_3d_confidence"] == pytest.approx(stats["confidence"].item(), rel=1e-5)


def test_the_teacher_is_not_asked_where_labels_are_stored(batch, monkeypatch):
    batch["stored_image_probs"] = torch.rand(len(batch["image"]), C)
    model = make(label_source="stored")
    for branch in ("points", "images"):
        monkeypatch.setattr(model.teacher, branch, None)
    assert model(batch)["rpc_2d_kept"] > 0


def test_a_blend_lies_between(batch):
    ends = losses(batch), losses(batch, label_source="stored")
    assert losses(batch, label_source="blend", stored_weight=0.0) == ends[0]
    half = losses(batch, label_source="blend", stored_weight=0.5)["rpc_3d_confidence"]
    assert half not in [end["rpc_3d_confidence"] for end in ends]
    blend = LABEL_SOURCES.get("blend")
    teacher = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0], [0, 0, 0]])
    stored = torch.tensor([[0.0, 1, 0], [0, 0, 0], [0, 0.2, 0.8]])
    expected = torch.tensor([[0.75, 0.25, 0], [0.5, 0.5, 0], [0, 0.2, 0.8]])
    torch.testing.assert_close(blend(teacher, stored, 0.25), expected)


def test_stored_labels_are_masked_with_tags():
    probs = mask_stored(torch.tensor([[0.2, 0.2, 0.6]] * 2), torch.tensor([[1.0, 1, 0], [0, 0, 0]]))
    torch.testing.assert_close(probs, torch.tensor([[0.5, 0.5, 0], [0, 0, 0]]))


def test_missing_stored_labels_are_named(batch):
    del batch["stored_probs"]
    with pytest.raises(ValueError, match=r"'stored'.*no stored_probs.*stored_labels"):
        make(label_source="stored")(batch)


def test_losses_from_outside(batch, monkeypatch):
    """A guidance, a consistency and a source that are registered by somebody else's module."""
    for registry in (GUIDANCE, CONSISTENCY, LABEL_SOURCES):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))

    @GUIDANCE.register("cosine", reads="features", projected=True)
    def cosine(source, target):
        return 1 - torch.cosine_similarity(source, target.detach()).mean()

    @CONSISTENCY.register("soft")
    def soft(logits, probs, region, threshold, num_regions=None, num_alone=None):
        return -(probs * logits.log_softmax(1)).sum(1).mean(), {"entropy": probs.sum()}

    @LABEL_SOURCES.register("uniform", teacher=False)
    def uniform(teacher, stored, weight):
        return (stored > 0) / C

    settings = {"guidance_3d": "cosine", "consistency": "soft", "label_source": "uniform"}
    model = make(**settings, min_pairs_per_view=0)
    result = model(batch)
    result["loss"].backward()
    assert {"guidance_3d", "rpc_3d_entropy", "rpc_2d_entropy"} <= result.keys()
    assert model.project_points.weight.grad.any()
