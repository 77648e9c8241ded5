"""Point-pixel pairs: how many of which view, and bilinear reading at pixels."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pointcept_wsegpc.models.pairing import sample_pairs, sample_pixel_features


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def links(counts, seed=0):
    """The view of each link, in random order, for the given number of links per view."""
    view = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    return view[torch.randperm(len(view), generator=seeded(seed))]


def test_views_are_capped_skipped_and_never_repeated():
    counts = [1000, 64, 65, 0, 300]
    view = links(counts)
    pairs = sample_pairs(view, counts, max_pairs=10_000, generator=seeded(1))
    assert len(pairs.unique()) == len(pairs)
    assert torch.bincount(view[pairs], minlength=5).tolist() == [512, 0, 65, 0, 300]


def test_total_is_drawn_from_the_capped_views_evenly():
    counts = [5000, 512, 512]
    view = links(counts)
    drawn = torch.zeros(3)
    for seed in range(40):
        pairs = sample_pairs(view, counts, generator=seeded(seed))
        assert len(pairs) == len(pairs.unique()) == 512
        drawn += torch.bincount(view[pairs], minlength=3)
    np.testing.assert_allclose(drawn / drawn.sum(), 1 / 3, atol=0.02)


def test_every_link_of_a_view_is_as_likely():
    view = links([20])
    hits = torch.zeros(20)
    for seed in range(2000):
        hits[sample_pairs(view, [20], 10, 0, generator=seeded(seed))] += 1
    np.testing.assert_allclose(hits / 2000, 0.5, atol=0.06)


def test_generator_decides_the_draw():
    view = links([700, 200])
    first, again = (sample_pairs(view, [700, 200], generator=seeded(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, sample_pairs(view, [700, 200], generator=seeded(4)))


@pytest.mark.parametrize("counts", [[0, 0], [3, 64], [64]])
def test_no_view_sees_enough(counts):
    pairs = sample_pairs(links(counts), counts)
    assert pairs.shape == (0,) and pairs.dtype == torch.int64


def bilinear(features, view, row, col, image_size):
    """Slow oracle, one pair after another."""
    _, depth, h, w = features.shape
    out = np.zeros((len(view), depth))
    for i, (v, r, c) in enumerate(zip(view, row, col, strict=True)):
        y = r * (h - 1) / (image_size[0] - 1) if image_size[0] > 1 else 0.0
        x = c * (w - 1) / (image_size[1] - 1) if image_size[1] > 1 else 0.0
        for yy in range(h):
            for xx in range(w):
                weight = max(0, 1 - abs(y - yy)) * max(0, 1 - abs(x - xx))
                out[i] += weight * features[v, :, yy, xx]
    return out


@pytest.mark.parametrize(
    ("map_size", "image_size"),
    [((3, 4), (24, 32)), ((6, 5), (41, 33)), ((1, 1), (8, 8)), ((2, 1), (9, 1))],
)
def test_bilinear_against_a_loop(map_size, image_size):
    features = torch.randn(2, 3, *map_size, generator=seeded(0))
    view = torch.randint(2, (50,), generator=seeded(1))
    row = torch.randint(image_size[0], (50,), generator=seeded(2)).int()
    col = torch.randint(image_size[1], (50,), generator=seeded(3)).int()
    ours = sample_pixel_features(features, view, row, col, image_size)
    theirs = bilinear(features.numpy(), view.numpy(), row.numpy(), col.numpy(), image_size)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_agrees_with_upsampling_the_map():
    features = torch.randn(2, 4, 6, 8, generator=seeded(0))
    full = F.interpolate(features, size=(48, 64), mode="bilinear", align_corners=True)
    view, row, col = torch.cartesian_prod(torch.arange(2), torch.arange(48), torch.arange(64)).T
    ours = sample_pixel_features(features, view, row, col, (48, 64))
    torch.testing.assert_close(ours, full[view, :, row, col], atol=1e-5, rtol=1e-5)


def test_gradients_of_pairs_that_share_cells():
    features = torch.randn(1, 2, 2, 3, dtype=torch.float64, generator=seeded(0)).requires_grad_()
    view, row, col = (
        torch.zeros(4, dtype=torch.long),
        torch.tensor([0, 5, 5, 7]),
        torch.tensor([0, 3, 3, 9]),
    )
    assert torch.autograd.gradcheck(
        lambda f: sample_pixel_features(f, view, row, col, (8, 10)), (features,)
    )


def test_no_pairs_give_a_graph_connected_empty_result():
    features = torch.randn(1, 5, 2, 2, requires_grad=True)
    none = torch.zeros(0, dtype=torch.long)
    out = sample_pixel_features(features, none, none, none, (16, 16))
    assert out.shape == (0, 5)
    out.sum().backward()
    assert (features.grad == 0).all()
