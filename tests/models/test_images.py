"""Views of several sizes in one batch against each view alone."""

import pytest
import small
import torch
from pointcept.datasets import collate_fn
from pointcept.models.builder import build_model
from toy_samples import C, toy_sample

from pointcept_wsegpc.models.batch_index import view_stacks
from pointcept_wsegpc.models.guidance import Links, paired_sides
from pointcept_wsegpc.models.images import stack_views, stacked_rows, view_means

SIZES = [(32, 48), (32, 32), (32, 48), (64, 32)]


def test_pixels_survive_the_stacks():
    pixels = torch.rand(sum(h * w for h, w in SIZES), 3)
    stacks = stack_views(pixels, SIZES)
    assert [stack.views for stack in stacks] == [[0, 2], [1], [3]]
    assert torch.equal(stacked_rows(stacks), pixels)
    parts = pixels.split([h * w for h, w in SIZES])
    torch.testing.assert_close(view_means(stacks), torch.stack([p.mean(0) for p in parts]))
    assert torch.equal(stacks[0].maps[1, :, 5, 7], parts[2][5 * 48 + 7])
    (one,) = stack_views(pixels[: 2 * 32 * 48], SIZES[:1] * 2)
    assert one.maps.is_contiguous() and one.maps.shape == (2, 3, 32, 48)
    (none,) = stack_views(pixels[:0], [])
    assert none.views == [] and stacked_rows([none]).shape == (0, 3)


@pytest.fixture
def model():
    return build_model(small.model_config(num_classes=C, min_pairs_per_view=0)).train()


def test_pairs_are_read_in_the_view_that_they_are_of(model):
    batch = collate_fn([toy_sample(0, SIZES), toy_sample(1, SIZES[:1]), toy_sample(2, SIZES[3:])])
    sizes = batch["view_size"].tolist()
    views = view_stacks(batch)
    points, images = model.student(batch, views)
    view = torch.arange(6).repeat(20)
    row, col = (
        torch.tensor([i * 7 % sizes[v][axis] for i, v in enumerate(view)]) for axis in (0, 1)
    )
    links = Links(torch.arange(120) % len(batch["coord"]), view, row, col)
    tags = torch.ones(120, C), torch.ones(6, C)
    ((_, mixed),) = paired_sides(links, [120], points, images, *tags, ["contrastive", "cam"])
    parts = batch["image"].split([h * w for h, w in sizes])
    for v in range(6):
        alone = stack_views(parts[v], [tuple(sizes[v])])
        here = links.at((view == v).nonzero()[:, 0])._replace(view=torch.zeros(20).long())
        result = model.student.images(alone)
        ((_, side),) = paired_sides(
            here, [20], points, result, tags[0][:20], tags[1], ["mse", "cam"]
        )
        torch.testing.assert_close(mixed.features[view == v], side.features)
        torch.testing.assert_close(mixed.logits[view == v], side.logits)


def test_every_size_is_trained(model):
    batch = collate_fn([toy_sample(0, SIZES, own=(1,)), toy_sample(1, SIZES[:1])])
    result = model(batch)
    assert result["loss"].isfinite() and result["rpc_2d"] >= 0
    result["loss"].backward()
    gradients = [p.grad for n, p in model.named_parameters() if "teacher." not in n]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)
    model.eval()
    assert model(batch)["image_logits"].shape == (len(batch["image"]), C)
