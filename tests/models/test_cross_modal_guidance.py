"""Guidance in the model: each kind in each direction, link by link, against the batched version."""

import numpy as np
import pytest
import reference
import small
import torch
from pointcept.datasets import build_dataset, collate_fn
from pointcept.models.builder import build_model

from pointcept_wsegpc.models.batch_index import view_stacks
from pointcept_wsegpc.models.guidance import Side, facts, guidance_loss, projection
from pointcept_wsegpc.models.pairing import sample_pixel_features

KINDS = ("contrastive", "affinity", "mse", "cam")
LINKS = ("link_point", "link_view", "link_row", "link_col")
ALL_PAIRS = {"max_pairs": 10**6, "max_pairs_per_view": 10**6, "min_pairs_per_view": 0}


@pytest.fixture(scope="module", params=["alone", "mixed"])
def samples(request, prepared_root):
    """Two samples; floors and walls are removed, so that 3D and 2D tags differ."""
    structures = {"ground": 1.0, "wall": 1.0}
    mix3d = float(request.param == "mixed")
    config = small.dataset_config(prepared_root, structure_removal=structures, mix3d_prob=mix3d)
    dataset = build_dataset(config)
    dataset.set_epoch(0, 0)
    return [dataset[0], dataset[1]]


def make_model(**changes):
    torch.manual_seed(0)
    return build_model(small.model_config(**ALL_PAIRS, **changes)).train()


def guidance_of(model, kind, sample, features, logits, maps, activation):
    """Losses (3D, 2D) over all links of one sample, classes and tags looked up one by one."""
    point, view, row, col = (sample[key] for key in LINKS)
    ends = sample["teacher_offset"].tolist()
    scenes = [next(k for k, e in enumerate(ends) if sample["teacher_row"][p] < e) for p in point]
    tags_3d = torch.stack([sample["teacher_tags"][k] for k in scenes])
    tags_2d = torch.stack([sample["view_tags"][v] for v in view])
    assert (tags_3d <= tags_2d).all()  # a view sees points of its own scene, which lost tags
    assert (tags_3d < tags_2d).any()
    if kind == "cam":
        each = range(1, len(point) + 1)
        sides = logits[point], activation[view, :, row, col]
        taught = [
            reference.tag_softmax(side, tags, each)
            for side, tags in zip(sides, (tags_2d, tags_3d), strict=True)
        ]
        return [reference.cam(*pair) for pair in zip(sides, taught[::-1], strict=True)]
    points = features[point]
    pixels = sample_pixel_features(maps, view, row, col, sample["view_size"][0].tolist())
    guidance = reference.GUIDANCE[kind]
    if kind == "affinity":
        return [guidance(points, pixels), guidance(pixels, points)]
    taught = [model.project_points(points), model.project_images(pixels)]
    return [guidance(taught[0], pixels), guidance(taught[1], points)]


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_against_single_links(samples, kind):
    model = make_model(guidance_3d=kind, guidance_2d=kind)
    batch = collate_fn(samples)
    expected = np.zeros(2)
    features, logits = model.student.points(batch)
    maps, activation = (stack.maps for (stack,) in model.student.images(view_stacks(batch)))
    voxels = [len(s["coord"]) for s in samples]
    views = [len(s["view_size"]) for s in samples]
    parts = (features.split(voxels), logits.split(voxels), maps.split(views))
    for sample, *rows in zip(samples, *parts, activation.split(views), strict=True):
        expected += guidance_of(model, kind, sample, *rows)
    result = model(batch)
    assert result["guidance_3d"].item() == pytest.approx(0.05 * expected[0], rel=1e-4)
    assert result["guidance_2d"].item() == pytest.approx(0.05 * expected[1], rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_branch_that_learns_gets_a_gradient(samples, kind):
    batch = collate_fn(samples)
    for learns, teaches in (("3d", "2d"), ("2d", "3d")):
        model = make_model(
            **{f"guidance_{learns}": kind, f"guidance_{teaches}": "none"},
            cam_3d_weight=0.0,
            cam_2d_weight=0.0,
            rpc_3d_weight=0,
            rpc_2d_weight=0,
        )
        model(batch)["loss"].backward()
        points = [*model.student.backbone.parameters(), *model.student.point_head.parameters()]
        images = [*model.student.image_encoder.parameters(), *model.student.image_head.parameters()]
        taught, teacher = (points, images) if learns == "3d" else (images, points)
        assert any(p.grad.any() for p in taught)
        assert not any(p.grad.any() for p in teacher)


@pytest.mark.parametrize(("kind_3d", "kind_2d"), [*zip(KINDS, KINDS, strict=True), ("none", "cam")])
def test_without_any_visible_pixel_every_parameter_is_touched(samples, kind_3d, kind_2d):
    model = make_model(guidance_3d=kind_3d, guidance_2d=kind_2d)
    empty = {key: torch.zeros(0, dtype=torch.int64) for key in LINKS}
    blind = [{**s, **empty, "link_offset": torch.tensor([0])} for s in samples]
    for batch in (blind, [samples[0], blind[1]]):
        model.zero_grad()
        result = model(collate_fn(batch))
        result["loss"].backward()
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    with torch.no_grad():
        result = model(collate_fn(blind))
    assert result["guidance_2d"] == result.get("guidance_3d", 0) == 0


@pytest.mark.parametrize("kind", ("none", *KINDS))
def test_layers_are_there_where_they_are_needed(kind):
    """A layer that a loss does not use would break data-parallel training."""
    model = make_model(guidance_3d=kind, guidance_2d="none")
    keys = {key for key in model.state_dict() if key.startswith("project_")}
    needed = (
        {"project_points.weight", "project_points.bias"}
        if kind != "none" and facts(kind)["projected"]
        else set()
    )
    assert keys == needed
    layer = projection(kind, 8, 40)
    assert (layer is None) == (not needed)
    if layer is not None:
        assert (layer.in_features, layer.out_features) == (8, 40)


def test_the_class_that_is_taught_is_tagged():
    """Whatever the other branch says of a class that the learning branch's tags lack."""
    source = Side(logits=torch.zeros(1, 3, requires_grad=True), tags=torch.tensor([[1.0, 1, 0]]))
    target = Side(logits=torch.tensor([[0.0, 1.0, 9.0]]), tags=torch.ones(1, 3))
    guidance_loss(source, target, "cam", None, {}).backward()
    share = np.exp([0.0, 1.0]) / np.exp([0.0, 1.0]).sum()
    np.testing.assert_allclose(
        source.logits.grad[0], [1 / 3 - share[0], 1 / 3 - share[1], 1 / 3], 1e-5
    )
