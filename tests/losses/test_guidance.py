"""Cross-modal guidance against the equations one by one."""

import numpy as np
import pytest
import reference
import torch

from pointcept_wsegpc.losses.guidance import (
    affinity_guidance,
    cam_guidance,
    contrastive_guidance,
    mse_guidance,
)


def draw(pairs, width, seed, dtype=torch.float64, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(pairs, width, dtype=torch.float64, generator=generator)
    return (values * scale).to(dtype)


def draw_probs(pairs, classes, seed, dtype=torch.float64):
    """Tag-masked class predictions; every third pair belongs to a scene without tags."""
    probs = torch.softmax(draw(pairs, classes, seed) * 3, 1)
    probs[:, 0] = 0
    probs[2::3] = 0
    return (probs / probs.sum(1, keepdim=True).clamp(min=1e-9)).to(dtype)


LOSSES = {
    "contrastive": (contrastive_guidance, reference.contrastive, draw(7, 5, 2)),
    "mse": (mse_guidance, reference.mse, draw(7, 5, 2)),
    "affinity": (affinity_guidance, reference.affinity, draw(7, 9, 2)),  # widths may differ
    "cam": (cam_guidance, reference.cam, draw_probs(7, 5, 2)),
}
every_loss = pytest.mark.parametrize(("loss", "slow", "target"), LOSSES.values(), ids=LOSSES)


@every_loss
def test_against_a_loop(loss, slow, target):
    source = draw(7, 5, 1)
    result = loss(source, target)
    assert result.shape == () and result.dtype == torch.float64
    assert result.item() == pytest.approx(slow(source, target), rel=1e-9)


@every_loss
def test_gradient_reaches_the_source_only(loss, slow, target):
    source, target = draw(7, 5, 1).requires_grad_(), target.clone().requires_grad_()
    loss(source, target).backward()
    assert source.grad.abs().sum() > 0 and target.grad is None
    assert torch.autograd.gradcheck(lambda x: loss(x, target.detach()), source)


@every_loss
def test_no_pair_is_a_connected_zero(loss, slow, target):
    features = torch.randn(4, 5, requires_grad=True)
    result = loss(features[:0], target[:0].float())
    result.backward()
    assert result.item() == 0 and features.grad.eq(0).all()


@every_loss
def test_order_of_the_pairs_does_not_matter(loss, slow, target):
    source, order = draw(7, 5, 1), torch.tensor([3, 0, 6, 1, 5, 2, 4])
    assert loss(source[order], target[order]).item() == pytest.approx(loss(source, target).item())


@every_loss
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_precision_gives_what_float32_of_the_same_numbers_gives(loss, slow, target, dtype):
    half = draw(7, 5, 1, dtype, scale=300).requires_grad_()  # squares of these overflow float16
    full = half.detach().float().requires_grad_()
    expected = loss(full, target.to(dtype).float())
    with torch.autocast("cpu", torch.bfloat16):
        result = loss(half, target.to(dtype))
    assert result.dtype == torch.float32 and torch.equal(result, expected)
    assert result.isfinite()
    result.backward()
    expected.backward()
    assert half.grad.isfinite().all() and torch.equal(half.grad, full.grad.to(dtype))


@pytest.mark.parametrize("loss", [contrastive_guidance, mse_guidance, affinity_guidance])
def test_length_of_the_features_does_not_matter(loss):
    source, target = draw(7, 5, 1), draw(7, 5, 2)
    expected = loss(source, target).item()
    assert loss(source * 1e6, target * 1e-6).item() == pytest.approx(expected)
    scales = torch.linspace(0.1, 9, 7)[:, None]
    assert loss(source * scales, target * scales.flip(0)).item() == pytest.approx(expected)


@pytest.mark.parametrize("loss", [contrastive_guidance, mse_guidance, affinity_guidance])
def test_features_of_zero_stay_finite(loss):
    source = torch.zeros(3, 5, requires_grad=True)
    result = loss(source, torch.zeros(3, 5))
    result.backward()
    assert result.isfinite() and source.grad.isfinite().all()


def test_contrast_of_known_pairs():
    identity = torch.eye(6, dtype=torch.float64)
    matched = -np.log(np.exp(1 / 0.07) / (np.exp(1 / 0.07) + 5))
    assert contrastive_guidance(identity, identity).item() == pytest.approx(matched)
    swapped = identity[[1, 0, 2, 3, 4, 5]]
    expected = matched + 2 / 6 / 0.07  # two of six pairs lose a similarity of 1
    assert contrastive_guidance(identity, swapped).item() == pytest.approx(expected)
    same = torch.ones(6, 3)
    assert contrastive_guidance(same, same).item() == pytest.approx(np.log(6))  # nothing to find


def test_temperature():
    source, target = draw(7, 5, 1), draw(7, 5, 2)
    for temperature in (0.03, 0.5):
        expected = reference.contrastive(source, target, temperature)
        assert contrastive_guidance(source, target, temperature=temperature).item() == (
            pytest.approx(expected)
        )


def test_equal_features_need_no_guidance():
    source = draw(7, 5, 1)
    assert mse_guidance(source, source * 3).item() == pytest.approx(0, abs=1e-15)
    turned = source[:, [4, 2, 0, 1, 3]]  # another basis, the same relations
    assert affinity_guidance(source, turned).item() == pytest.approx(0, abs=1e-15)
    assert mse_guidance(source, -source).item() == pytest.approx(4)


def test_cam_of_scenes_without_any_tag_is_a_connected_zero():
    source = torch.randn(4, 5, requires_grad=True)
    loss = cam_guidance(source, torch.zeros(4, 5))
    loss.backward()
    assert loss.item() == 0 and source.grad.eq(0).all()
