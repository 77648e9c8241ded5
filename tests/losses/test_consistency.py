"""Region-point consistency against the equations one by one, Eq. 2-8."""

import io

import numpy as np
import pytest
import reference
import torch
import torch.nn.functional as F

from pointcept_wsegpc.losses import blocks, cross_entropy
from pointcept_wsegpc.losses.consistency import (
    CONSISTENCY,
    AdaptiveThreshold,
    region_consistency,
    region_point_consistency,
    region_vote,
)
from pointcept_wsegpc.losses.cross_entropy import labeled_cross_entropy, selected_cross_entropy

N, C = 60, 5


def generator(seed):
    return torch.Generator().manual_seed(seed)


def draw_logits(seed=0, n=N, scale=2.0, dtype=torch.float64):
    return (torch.randn(n, C, dtype=torch.float64, generator=generator(seed)) * scale).to(dtype)


def draw_probs(seed=1, n=N, dtype=torch.float64):
    """Tag-masked probabilities: class 4 absent everywhere, the last points without any tag."""
    probs = torch.softmax(draw_logits(seed, n, scale=4), 1)
    probs[:, 4] = 0
    probs /= probs.sum(1, keepdim=True)
    probs[n - n // 6 :] = 0
    return probs.to(dtype)


def draw_region(seed=2, n=N):
    """Regions -1 to 8 in random order, without 0, 3 and 7; 8 has one point."""
    region = torch.tensor([-1, 1, 2, 4, 5, 6])[torch.randint(6, (n,), generator=generator(seed))]
    region[n // 2] = 8
    return region


# ------------------------------------------------------------------------ region vote


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_vote_against_a_loop(dtype):
    probs, region = draw_probs(), draw_region()
    table = region_vote(probs, region.to(dtype))
    assert table.shape == (9, C) and table.dtype == torch.float64
    np.testing.assert_allclose(table, reference.vote(probs, region), atol=1e-12)
    assert table[[0, 3, 7]].eq(0).all()  # ids without points
    np.testing.assert_allclose(table[8], probs[region == 8][0])  # a region of one point


def test_vote_leaves_negative_ids_out():
    probs, region = draw_probs(), draw_region()
    changed = torch.where((region < 0)[:, None], torch.nan, probs)
    assert torch.equal(region_vote(changed, region), region_vote(probs, region))
    other = torch.where(region < 0, -7, region)
    assert torch.equal(region_vote(probs, other), region_vote(probs, region))


@pytest.mark.parametrize("n", [0, 4])
def test_vote_without_any_region(n):
    assert region_vote(torch.rand(n, C), torch.full((n,), -1)).shape == (0, C)


def test_vote_gradient():
    probs = draw_probs(n=12).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: region_vote(p, draw_region(n=12)), probs)


@pytest.mark.parametrize("devices", [{"cpu"}, set()])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_votes_of_large_regions_are_exact(monkeypatch, dtype, devices):
    monkeypatch.setattr(blocks, "BLOCKWISE", devices)  # none: in one pass, as on a GPU
    probs = torch.tensor([[0.7, 0.3]], dtype=dtype).expand(1_000_000, 2)
    with torch.autocast("cpu", torch.bfloat16):
        table = region_vote(probs, torch.zeros(1_000_000, dtype=torch.int64))
    torch.testing.assert_close(table, probs[:1].float(), rtol=1e-6, atol=0)


# ---------------------------------------------------------------------- cross-entropy


@pytest.mark.parametrize("block", [1, 7, 60, 1000])
def test_cross_entropy_equals_torchs(monkeypatch, block):
    monkeypatch.setattr(cross_entropy, "BLOCK", block)
    ours, theirs = draw_logits().requires_grad_(), draw_logits().requires_grad_()
    label = torch.randint(C, (N,), generator=generator(3))
    keep = torch.rand(N, generator=generator(4)) < 0.4
    loss = selected_cross_entropy(ours, label, keep)
    expected = F.cross_entropy(theirs[keep], label[keep], reduction="sum")
    assert loss.item() == pytest.approx(expected.item())
    (loss * 3).backward()
    (expected * 3).backward()
    np.testing.assert_allclose(ours.grad, theirs.grad, atol=1e-12)


def test_cross_entropy_gradcheck():
    label = torch.randint(C, (9,), generator=generator(3))
    keep = torch.tensor([True, False, True, True, False, False, True, True, True])
    logits = draw_logits(n=9).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: selected_cross_entropy(x, label, keep), logits)


def test_cross_entropy_of_a_graph_that_is_kept():
    logits = draw_logits().requires_grad_()
    label, keep = torch.arange(N) % C, torch.arange(N) % 2 > 0
    loss = selected_cross_entropy(logits, label, keep)
    first, again, scaled = (
        torch.autograd.grad(loss * factor, logits, retain_graph=True)[0] for factor in (1, 1, 3)
    )
    assert torch.equal(first, again) and first.any()
    np.testing.assert_allclose(scaled, 3 * first)
    with torch.no_grad():
        assert selected_cross_entropy(logits, label, keep) == loss


def test_cross_entropy_of_a_channels_last_map():
    maps = torch.randn(2, C, 3, 4, dtype=torch.float64, generator=generator(0))
    maps = maps.contiguous(memory_format=torch.channels_last).requires_grad_()
    label, keep = torch.arange(24) % C, torch.arange(24) % 3 > 0
    rows = maps.permute(0, 2, 3, 1).reshape(-1, C)
    selected_cross_entropy(rows, label, keep).backward()
    ours = maps.grad.clone()
    maps.grad = None
    image = torch.where(keep, label, -1).reshape(2, 3, 4)
    F.cross_entropy(maps, image, ignore_index=-1, reduction="sum").backward()
    np.testing.assert_allclose(ours, maps.grad, atol=1e-12)


def test_cross_entropy_of_extreme_logits_is_finite():
    logits = torch.tensor([[1e4, -1e4], [1e4, -1e4]], requires_grad=True)
    loss = selected_cross_entropy(logits, torch.tensor([1, 0]), torch.tensor([True, True]))
    loss.backward()
    assert loss.item() == 2e4
    assert logits.grad.tolist() == [[1, -1], [0, 0]]


@pytest.mark.parametrize("n", [0, 6])
def test_cross_entropy_of_nothing_is_a_connected_zero(n):
    logits = torch.randn(n, C, requires_grad=True)
    nothing = torch.zeros(n, dtype=torch.bool)
    loss = selected_cross_entropy(logits, torch.zeros(n, dtype=torch.int64), nothing)
    loss.backward()
    assert loss.item() == 0 and logits.grad.shape == (n, C) and logits.grad.eq(0).all()


def test_weights_count_points_several_times():
    logits, label = draw_logits(n=6).requires_grad_(), torch.tensor([0, 4, 2, 2, 1, 3])
    weight = torch.tensor([2, 0, 1, 3, 0, 1])
    selected_cross_entropy(logits, label, weight).backward()
    ours = logits.grad.clone()
    logits.grad = None
    again = torch.repeat_interleave(torch.arange(6), weight)
    F.cross_entropy(logits[again], label[again], reduction="sum").backward()
    np.testing.assert_allclose(ours, logits.grad, atol=1e-12)


def test_labeled_cross_entropy_is_torchs_mean():
    logits, label = draw_logits().requires_grad_(), torch.arange(N) % (C + 1) - 1
    expected = F.cross_entropy(logits, label, ignore_index=-1).item()
    assert labeled_cross_entropy(logits, label.int()).item() == pytest.approx(expected)
    assert torch.autograd.gradcheck(lambda x: labeled_cross_entropy(x, label), logits)


@pytest.mark.parametrize("n", [0, 6])
def test_without_labels_supervision_is_a_connected_zero(n):
    logits = torch.randn(n, C, requires_grad=True)
    loss = labeled_cross_entropy(logits, torch.full((n,), -1))
    loss.backward()
    assert loss.item() == 0 and logits.grad.shape == (n, C) and logits.grad.eq(0).all()


# -------------------------------------------------------------------------- thresholds


def test_thresholds_follow_the_counts():
    threshold, count = AdaptiveThreshold(C, base=0.7), [0] * C
    assert threshold.thresholds().tolist() == [0] * C
    for seed, size in enumerate([40, 0, 7, 1000]):
        labels = torch.randint(C - 1, (size,), generator=generator(seed))
        threshold.update(labels)
        for label in labels.tolist():
            count[label] += 1
        assert threshold.count.tolist() == count and threshold.count.dtype == torch.int64
        np.testing.assert_allclose(
            threshold.thresholds(), reference.thresholds(count, 0.7), rtol=1e-6
        )
    assert threshold.thresholds().max().item() == pytest.approx(0.7)
    assert threshold.thresholds()[C - 1] == 0  # never seen


def test_a_fixed_threshold_is_always_the_base():
    threshold = AdaptiveThreshold(C, base=0.3, adaptive=False)
    for labels in (torch.tensor([], dtype=torch.int64), torch.tensor([1, 1, 2])):
        threshold.update(labels)
        np.testing.assert_allclose(threshold.thresholds(), [0.3] * C, rtol=1e-6)
    assert threshold.count.tolist() == [0, 2, 1, 0, 0]  # counted all the same


def test_counts_beyond_single_precision_stay_exact():
    threshold = AdaptiveThreshold(2)
    threshold.count += 2**40
    threshold.update(torch.tensor([1]))
    assert threshold.count.tolist() == [2**40, 2**40 + 1]
    assert threshold.half().count.dtype == torch.int64


def test_threshold_survives_a_checkpoint():
    threshold = AdaptiveThreshold(C)
    threshold.update(torch.tensor([0, 0, 3]))
    assert not list(threshold.parameters())
    file = io.BytesIO()
    torch.save(threshold.state_dict(), file)
    file.seek(0)
    resumed = AdaptiveThreshold(C)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(resumed.thresholds(), threshold.thresholds())
    for each in (threshold, resumed):
        each.update(torch.tensor([3]))
    assert resumed.count.tolist() == threshold.count.tolist() == [2, 0, 0, 2, 0]


# ------------------------------------------------------------------------- consistency


@pytest.mark.parametrize(("base", "adaptive"), [(0.8, True), (0.95, True), (0.6, False), (0, True)])
@pytest.mark.parametrize("form", CONSISTENCY.names())
def test_a_sequence_of_steps_against_a_loop(form, base, adaptive):
    threshold, count = AdaptiveThreshold(C, base, adaptive), [0] * C
    shares = []
    for step in range(4):
        logits = draw_logits(10 + step).requires_grad_()
        probs, region = draw_probs(20 + step), draw_region(30 + step)
        # Float64 confidences against float32 thresholds: no tie may hang on the rounding.
        used = count if adaptive else [1] * C
        loss, stats = CONSISTENCY.get(form)(logits, probs, region, threshold)
        expected, kept, new = reference.consistency(logits, probs, region, used, base, form)
        count = new if adaptive else [n + m - 1 for n, m in zip(count, new, strict=True)]
        assert loss.item() == pytest.approx(expected)
        assert threshold.count.tolist() == count
        assert stats["kept"].item() == pytest.approx(len(kept) / N)
        mean = np.mean([confidence for _, confidence in kept]) if kept else 0
        assert stats["confidence"].item() == pytest.approx(mean)
        shares.append(len(kept) / N)
        loss.backward()
        if form != "region":  # whose dropped points learn with those of their region
            assert (logits.grad.abs().sum(1) == 0).sum().item() == N - len(kept)
    assert max(shares) > 0 and (base == 0 or min(shares) < 1)  # thresholds did act


def test_gradients_against_autograd_of_the_equations():
    """Also: the teacher gets none."""
    ours, theirs = draw_logits().requires_grad_(), draw_logits().requires_grad_()
    probs, region = draw_probs().requires_grad_(), draw_region()
    loss, _ = region_point_consistency(ours, probs, region, AdaptiveThreshold(C))
    loss.backward()
    label, confidence = reference.labels(probs, region)
    kept = torch.tensor(confidence) > 0
    picked = F.log_softmax(theirs, 1)[range(N), label]
    (-(picked * kept).sum() / N).backward()
    np.testing.assert_allclose(ours.grad, theirs.grad, atol=1e-12)
    assert probs.grad is None


def test_thresholds_are_read_before_they_are_updated():
    threshold = AdaptiveThreshold(2, base=0.8)
    probs = torch.tensor([[0.6, 0.4]])
    args = torch.zeros(1, 2), probs, torch.tensor([0]), threshold
    assert region_point_consistency(*args)[1]["kept"] == 1  # against zero
    assert threshold.thresholds()[0].item() == pytest.approx(0.8)
    assert region_point_consistency(*args)[1]["kept"] == 0  # against 0.8
    assert threshold.count.tolist() == [1, 0]


def test_a_single_class():
    loss, stats = region_point_consistency(
        torch.randn(5, 1), torch.ones(5, 1), torch.tensor([0, 0, 1, 1, -1]), AdaptiveThreshold(1)
    )
    assert loss.item() == 0 and stats["kept"] == 1 and stats["confidence"] == 1


@pytest.mark.parametrize("form", CONSISTENCY.names())
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_half_precision_gives_what_float32_of_the_same_numbers_gives(form, dtype):
    half = draw_logits(scale=2e4, dtype=dtype).requires_grad_()  # sums of these overflow float16
    full, probs, region = half.detach().float().requires_grad_(), draw_probs(), draw_region()
    consistency, probs = CONSISTENCY.get(form), probs.to(dtype)
    expected, expected_stats = consistency(full, probs.float(), region, AdaptiveThreshold(C))
    with torch.autocast("cpu", torch.bfloat16):
        loss, stats = consistency(half, probs, region, AdaptiveThreshold(C))
    assert loss.dtype == torch.float32 and loss.isfinite() and torch.equal(loss, expected)
    assert stats == expected_stats
    loss.backward()
    expected.backward()
    assert half.grad.dtype == dtype and torch.equal(half.grad, full.grad.to(dtype))
    assert half.grad.isfinite().all()


# ------------------------------------------------------------------------- other forms


@pytest.mark.parametrize("form", CONSISTENCY.names())
def test_gradcheck_of_every_form(form):
    probs, region = draw_probs(n=12), draw_region(n=12)

    def loss(logits):
        return CONSISTENCY.get(form)(logits, probs, region, AdaptiveThreshold(C))[0]

    assert torch.autograd.gradcheck(loss, draw_logits(n=12).requires_grad_())


def test_points_of_a_region_share_their_gradient():
    """With direct region labels no point learns from what it says itself."""
    logits, region = draw_logits().requires_grad_(), draw_region()
    region_consistency(logits, draw_probs(), region, AdaptiveThreshold(C))[0].backward()
    for r in range(9):
        rows = logits.grad[region == r]
        np.testing.assert_allclose(rows, rows[:1].expand_as(rows), atol=1e-15)
    assert len({tuple(row.tolist()) for row in logits.grad[region < 0]}) > 3


@pytest.mark.parametrize("form", CONSISTENCY.names())
def test_all_forms_are_one_where_regions_are_points(form):
    logits, probs = draw_logits(), draw_probs()
    expected, _ = region_point_consistency(logits, probs, torch.arange(N), AdaptiveThreshold(C))
    for region in (torch.arange(N), torch.full((N,), -1)):
        loss, _ = CONSISTENCY.get(form)(logits, probs, region, AdaptiveThreshold(C))
        assert loss.item() == pytest.approx(expected.item())


@pytest.mark.parametrize("form", CONSISTENCY.names())
def test_degenerate_inputs_of_every_form(form):
    consistency, empty = CONSISTENCY.get(form), torch.zeros(0, dtype=torch.int64)
    cases = {
        "no points": (0, torch.zeros(0, C), empty, 0.8),
        "no tags": (4, torch.zeros(4, C), torch.tensor([0, 0, -1, 7]), 0.8),
        "no tags, all pass": (4, torch.zeros(4, C), torch.tensor([0, 0, -1, 7]), 0.0),
        "all below": (4, torch.full((4, C), 1 / C), torch.tensor([0, 0, -1, 7]), 1.0),
        "diverged": (4, torch.full((4, C), torch.nan), torch.tensor([0, 0, -1, 7]), 0.8),
    }
    for name, (n, probs, region, base) in cases.items():
        logits = torch.randn(n, C, requires_grad=True)
        threshold = AdaptiveThreshold(C, base, adaptive=False)
        loss, stats = consistency(logits, probs, region, threshold)
        loss.backward()
        assert loss.item() == 0 and stats["kept"] == 0 and stats["confidence"] == 0, name
        assert logits.grad.shape == (n, C) and logits.grad.eq(0).all(), name
        assert not threshold.count.any(), name


def test_a_probability_at_its_threshold_passes():
    """Eq. 7 has >=: where a scene has one tag, the probability is 1."""
    teacher = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    fixed = AdaptiveThreshold(2, base=1.0, adaptive=False)
    _, stats = region_point_consistency(torch.zeros(2, 2), teacher, torch.tensor([0, -1]), fixed)
    assert stats["kept"] == 1


def test_full_supervision_of_many_points_in_half_precision():
    label = torch.arange(100_000) % 4
    logits = torch.zeros(100_000, 4, dtype=torch.float16)
    loss = labeled_cross_entropy(logits, label)
    torch.testing.assert_close(loss, torch.tensor(4.0).log(), rtol=1e-3, atol=0)
