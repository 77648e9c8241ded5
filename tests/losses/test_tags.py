"""Class activation from tags, against slow loops over scenes, points and classes."""

import doctest

import numpy as np
import pytest
import reference
import torch

from pointcept_wsegpc.losses import blocks
from pointcept_wsegpc.losses import tags as tags_module
from pointcept_wsegpc.losses.ragged import scene_index
from pointcept_wsegpc.losses.tags import (
    pool_scene_logits,
    row_tag_softmax,
    scene_tag_loss,
    tag_softmax,
)

OFFSET = torch.tensor([3, 3, 10, 11])  # the second scene has no point
TAGS = torch.tensor([[1, 0, 1, 0, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0], [0, 0, 0, 1, 0.0]])


def logits(dtype=torch.float64, scale=3.0):
    draw = torch.randn(11, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return (draw * scale).to(dtype)


def test_docstring_examples():
    assert doctest.testmod(tags_module, extraglobs={"torch": torch}).failed == 0


def test_scene_index():
    assert scene_index(OFFSET).tolist() == [0] * 3 + [2] * 7 + [3]
    assert scene_index(torch.tensor([0])).tolist() == []


def test_pool_against_a_loop():
    np.testing.assert_allclose(
        pool_scene_logits(logits(), OFFSET), reference.pool(logits(), OFFSET), atol=1e-12
    )


def test_pool_of_no_points_is_a_connected_zero():
    empty = torch.zeros(0, 5, requires_grad=True)
    pooled = pool_scene_logits(empty, torch.tensor([0, 0]))
    assert pooled.tolist() == [[0.0] * 5] * 2
    pooled.sum().backward()
    assert empty.grad.shape == (0, 5)


def test_tag_loss_against_a_loop():
    scores = logits()[:4]
    assert scene_tag_loss(scores, TAGS).item() == pytest.approx(reference.tag_loss(scores, TAGS))
    assert scene_tag_loss(scores, TAGS.bool()).item() == pytest.approx(
        reference.tag_loss(scores, TAGS)
    )


def test_tag_loss_stays_finite_for_any_score():
    scores = torch.tensor([[1e4, -1e4]], requires_grad=True)
    loss = scene_tag_loss(scores, torch.tensor([[0.0, 1.0]]))
    loss.backward()
    assert loss.item() == pytest.approx(1e4)
    np.testing.assert_allclose(scores.grad, [[0.5, -0.5]])


def test_tag_loss_of_no_scene_is_a_connected_zero():
    empty = torch.zeros(0, 5, requires_grad=True)
    loss = scene_tag_loss(empty, torch.zeros(0, 5))
    loss.backward()
    assert loss.item() == 0 and empty.grad.shape == (0, 5)


def test_tag_softmax_against_a_loop():
    probs = tag_softmax(logits(), TAGS, OFFSET)
    np.testing.assert_allclose(probs, reference.tag_softmax(logits(), TAGS, OFFSET), atol=1e-12)
    scene = scene_index(OFFSET)
    assert (probs[TAGS[scene] == 0] == 0).all()  # exactly, the untagged scene included
    tagged = (TAGS[scene] > 0).any(1)
    np.testing.assert_allclose(probs[tagged].sum(1), 1, atol=1e-12)
    assert probs.dtype == torch.float64


def test_tag_softmax_is_the_same_with_and_without_a_gradient():
    expected = tag_softmax(logits(), TAGS, OFFSET)
    learning = tag_softmax(logits().requires_grad_(), TAGS, OFFSET)
    assert learning.requires_grad and torch.equal(learning.detach(), expected)
    with torch.no_grad():
        still = tag_softmax(logits().requires_grad_(), TAGS, OFFSET)
    assert not still.requires_grad and torch.equal(still, expected)


@pytest.mark.parametrize("scenes", [None, [(3, True), (0, True), (7, False), (1, True)]])
def test_tag_softmax_in_one_pass_is_that_of_scene_after_scene(monkeypatch, scenes):
    values = logits()
    values[5, 0] = torch.inf  # in the scene without any tag
    found = []
    for devices in ({"cpu"}, set()):
        monkeypatch.setattr(blocks, "BLOCKWISE", devices)
        given = values.clone().requires_grad_()
        probs = tag_softmax(given, TAGS, OFFSET, scenes)
        (probs * torch.arange(5)).sum().backward()
        found.append((probs, given.grad))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=0)


def test_an_absent_class_is_zero_however_large_its_logit():
    values = torch.tensor([[1e30, 0.0, -1e30]])
    probs = tag_softmax(values, torch.tensor([[0.0, 1.0, 1.0]]), torch.tensor([1]))
    assert probs.tolist() == [[0.0, 1.0, 0.0]]


def test_an_untagged_scene_is_zero_even_where_a_logit_overflowed():
    probs = tag_softmax(torch.tensor([[torch.inf, 0.0]]), torch.zeros(1, 2), torch.tensor([1]))
    assert probs.tolist() == [[0.0, 0.0]]


def test_tag_softmax_of_one_class_and_of_no_point():
    assert tag_softmax(torch.randn(4, 1), torch.ones(1, 1), torch.tensor([4])).tolist() == [[1]] * 4
    assert tag_softmax(torch.zeros(0, 3), torch.ones(2, 3), torch.tensor([0, 0])).shape == (0, 3)


def test_points_that_do_not_belong_to_a_scene_are_refused():
    with pytest.raises(RuntimeError):
        tag_softmax(logits(), TAGS, torch.tensor([3, 3, 10, 12]))


def test_gradients():
    values = logits().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: pool_scene_logits(x, OFFSET), values)
    assert torch.autograd.gradcheck(lambda x: tag_softmax(x, TAGS, OFFSET), values)
    scores = logits()[:4].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: scene_tag_loss(x, TAGS), scores)


CALLS = {
    "pool_scene_logits": lambda x: pool_scene_logits(x, OFFSET),
    "scene_tag_loss": lambda x: scene_tag_loss(x[:4], TAGS),
    "tag_softmax": lambda x: tag_softmax(x, TAGS, OFFSET),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_precision_gives_what_float32_of_the_same_numbers_gives(call, dtype):
    half = logits(dtype, scale=1e4).requires_grad_()  # sums of these overflow float16
    full = half.detach().float().requires_grad_()
    expected = call(full)
    with torch.autocast("cpu", torch.bfloat16):
        result = call(half)
    assert result.dtype == torch.float32 and torch.equal(result, expected)
    assert result.isfinite().all()
    result.sum().backward()
    assert half.grad.dtype == dtype and half.grad.isfinite().all()


def test_softmax_with_tags_by_row_is_that_of_the_rows_scenes():
    rows = TAGS[scene_index(OFFSET)]
    for scale in (1.0, 500.0):
        values = logits(scale=scale)
        np.testing.assert_allclose(
            row_tag_softmax(values, rows), tag_softmax(values, TAGS, OFFSET), atol=1e-12
        )
    assert row_tag_softmax(values[:0], rows[:0]).shape == (0, 5)
    half = row_tag_softmax(logits(torch.float16, 300.0), rows)
    assert half.dtype == torch.float32 and half.isfinite().all()
    assert torch.equal(half.sum(1) > 0, rows.any(1))  # a row without any tag is all zeros
