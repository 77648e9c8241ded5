"""Tag losses of scenes and of views with tags of their own, row by row."""

import numpy as np
import pytest
import reference
import torch
from pointcept.datasets import collate_fn
from toy_samples import C, toy_sample

from pointcept_wsegpc.models.batch_index import BatchIndex
from pointcept_wsegpc.models.cam import image_tag_loss, point_tag_loss

SIZES = ((3, 4), (2, 6), (3, 4), (5, 2))


def losses(samples, logits, view_scores):
    batch = collate_fn(samples)
    index = BatchIndex.of(batch)
    tags, scene_tags = batch["view_tags"], batch["teacher_tags"]
    return (
        point_tag_loss(logits, batch["offset"], batch["point_tags"], tags, scene_tags, index),
        image_tag_loss(view_scores, batch["image_tags"], tags, index),
    )


def outputs(samples):
    points, views = (sum(len(s[key]) for s in samples) for key in ("coord", "view_size"))
    return torch.randn(points, C), torch.randn(views, C)


@pytest.mark.parametrize("own", [(), (1,), (0, 1, 2, 3)])
def test_rows_of_both_losses(own):
    samples = [toy_sample(0, SIZES, own=own), toy_sample(1, (), points=(6,)), toy_sample(2, SIZES)]
    samples[0]["teacher_tags"][1, 2:] = 0  # what structure removal leaves of the second scene's
    logits, view_scores = outputs(samples)
    rows_3d, rows_2d, start, view = [], [], 0, 0
    for s in samples:
        mine, start = logits[start : start + len(s["coord"])], start + len(s["coord"])
        scores, view = view_scores[view : view + len(s["view_size"])], view + len(s["view_size"])
        rows_3d.append((mine.mean(0), s["point_tags"][0]))
        plain = [v for v in range(len(scores)) if not s["view_tagged"][v]]
        if plain:
            rows_2d.append((scores[plain].mean(0), s["image_tags"][0]))
        for v in set(range(len(scores))) - set(plain):
            seen = s["link_point"][s["link_view"] == v]
            scene = int((seen[0] >= s["teacher_offset"][0]).item())
            tags = s["view_tags"][v] * s["teacher_tags"][scene]
            rows_3d.append((mine[seen].mean(0), tags))
            rows_2d.append((scores[v], s["view_tags"][v]))
    for loss, rows in zip(losses(samples, logits, view_scores), (rows_3d, rows_2d), strict=True):
        scores, tags = (torch.stack(column) for column in zip(*rows, strict=True))
        assert loss.item() == pytest.approx(reference.tag_loss(scores, tags), rel=1e-5)


def test_a_tagged_view_that_sees_no_point_is_of_no_use_in_3d():
    blind = toy_sample(0, SIZES, own=(2,))
    keep = blind["link_view"] != 2
    blind |= {
        key: blind[key][keep] for key in blind if key.startswith("link_") and "off" not in key
    }
    blind["link_offset"] = torch.tensor([int(keep.sum())])
    plain = {**blind, "view_tagged": torch.zeros(4, dtype=torch.bool)}
    given = outputs([blind])
    assert losses([blind], *given)[0] == losses([plain], *given)[0]
    assert losses([blind], *given)[1] != losses([plain], *given)[1]


def test_gradients_reach_the_points_that_a_view_sees():
    sample = toy_sample(0, SIZES, own=(0,))
    logits, view_scores = (values.requires_grad_() for values in outputs([sample]))
    with_tags = losses([sample], logits, view_scores)[0]
    (ours,) = torch.autograd.grad(with_tags, logits)
    seen = sample["link_point"][sample["link_view"] == 0].unique()
    rest = np.setdiff1d(np.arange(len(ours)), seen)
    assert len({tuple(row.tolist()) for row in ours[rest]}) == 1  # from the scene's mean alone
    assert not (ours[seen] == ours[rest[0]]).all(1).any()
