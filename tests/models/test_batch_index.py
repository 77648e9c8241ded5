"""Indices of a batch against its samples, and what a training step asks of a GPU."""

import numpy as np
import pytest
import small
import torch
from pointcept.datasets import collate_fn
from pointcept.models.builder import build_model
from toy_samples import C, toy_sample

from pointcept_wsegpc.clouds import ids as cloud_ids
from pointcept_wsegpc.losses import blocks, consistency, cross_entropy
from pointcept_wsegpc.losses.ragged import count_ids, positions
from pointcept_wsegpc.models.batch_index import BatchIndex, join_ids

SAMPLES = [
    toy_sample(0, sizes=((3, 4), (2, 6), (3, 4)), own=(1,)),
    toy_sample(1, sizes=(), points=(7,)),
    toy_sample(2, sizes=((5, 2),), points=(9, 4)),
]


@pytest.mark.parametrize("sizes", [(3, 0, 4, 1), (8,), (0, 0), ()])
def test_joined_ids_are_those_of_clouds(sizes):
    parts = [torch.randint(-3, 6, (size,), generator=torch.Generator()) for size in sizes]
    group = torch.repeat_interleave(
        torch.arange(len(sizes)), torch.tensor(sizes, dtype=torch.int64)
    )
    joined, number = join_ids(torch.cat([*parts, torch.zeros(0).int()]), group, len(sizes))
    expected = cloud_ids.join_ids([part.numpy() for part in parts]) if sizes else []
    assert joined.tolist() == list(expected)
    assert number == sum(max([-1, *part.tolist()]) + 1 for part in parts)


def test_counts_and_positions():
    ids = torch.tensor([4, 0, 4, 2])
    assert count_ids(ids, 6).tolist() == torch.bincount(ids, minlength=6).tolist()
    assert count_ids(ids, 5, torch.tensor([2, 3, 1, 7])).tolist() == [3, 0, 7, 0, 3]
    chosen = torch.tensor([False, True, True, False, True])
    assert positions(chosen, 3).tolist() == chosen.nonzero().squeeze(1).tolist()
    assert positions(chosen[:1], 0).tolist() == []


def test_what_the_host_knows():
    index = BatchIndex.of(collate_fn(SAMPLES))
    assert index.views == [3, 0, 1] and index.links == [30, 0, 30]
    assert index.view_size == [(3, 4), (2, 6), (3, 4), (5, 2)]
    assert index.view_tagged == [False, True, False, False]
    assert index.view_links == np.bincount(index.link_view, minlength=4).tolist()
    assert [size for size, _ in index.view_pixels] == [12, 12, 12, 10]
    assert [size for size, _ in index.teacher_scenes] == [20, 10, 7, 9, 4]
    for region, (regions, alone) in (
        (index.point_region, index.point_voters),
        (index.pixel_region, index.pixel_voters),
    ):
        assert region.max() < regions and (region < 0).sum() == alone
    assert index.point_sample.tolist() == [0] * 30 + [1] * 7 + [2] * 13
    assert index.view_sample.tolist() == [0, 0, 0, 2]
    assert index.point_scene.tolist() == [0] * 20 + [1] * 10 + [2] * 7 + [3] * 9 + [4] * 4


WAITS = ("_local_scalar_dense", "nonzero", "bincount", "masked_select", "unique", "equal")


class Waits(torch.utils._python_dispatch.TorchDispatchMode):
    """Names of the operations that would wait for a GPU."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.__name__
        if name.startswith(WAITS):
            self.seen.append(name)
        indices = args[1] if len(args) > 1 and isinstance(args[1], (list, tuple)) else ()
        if any(isinstance(i, torch.Tensor) and i.dtype == torch.bool for i in indices):
            self.seen.append(f"{name} by a mask")
        if name.startswith("repeat_interleave") and not (kwargs or {}).get("output_size"):
            self.seen.append(name)
        return function(*args, **(kwargs or {}))


VIEWS = ((32, 48), (32, 32))


@pytest.fixture(params=["blocks", "one pass"])
def way(request, monkeypatch):
    """How the losses work on a CPU, and how on a GPU."""
    if request.param == "one pass":
        monkeypatch.setattr(blocks, "BLOCKWISE", set())


@pytest.mark.parametrize("kind", ["contrastive", "cam"])
@pytest.mark.parametrize("form", ["region-point", "point-point", "region"])
@pytest.mark.usefixtures("way")
def test_a_training_step_waits_for_a_gpu_once(monkeypatch, kind, form):
    settings = {"guidance_3d": kind, "guidance_2d": kind, "consistency": form}
    model = build_model(small.model_config(num_classes=C, **settings)).train()
    samples = [toy_sample(seed, sizes=VIEWS) for seed in range(2)]
    batch, lists = collate_fn(samples), []
    for name in ("tolist", "cpu", "numpy"):
        plain = getattr(torch.Tensor, name)
        monkeypatch.setattr(
            torch.Tensor, name, lambda self, plain=plain: lists.append(1) or plain(self)
        )
    with Waits() as waits:
        model(batch)["loss"].backward()
    assert waits.seen == []
    assert len(lists) == 1


@pytest.mark.parametrize("kind", ["contrastive", "affinity", "mse", "cam"])
@pytest.mark.parametrize("form", ["region-point", "point-point", "region"])
@pytest.mark.parametrize("num_links", [(90, 90), (90, 70)])
def test_one_pass_gives_what_blocks_give(monkeypatch, kind, form, num_links):
    """Losses and gradients of a step; scenes with equally many pairs and with unequally many."""
    settings = {"guidance_3d": kind, "guidance_2d": kind, "consistency": form}
    settings |= {"max_pairs": 40 if num_links[0] == num_links[1] else 512, "rpc_threshold": 0.2}
    state = build_model(small.model_config(num_classes=C, **settings)).state_dict()
    numbers = zip(range(2), num_links, strict=True)
    samples = [toy_sample(seed, sizes=VIEWS, links=links) for seed, links in numbers]
    samples[1]["teacher_tags"][1] = 0  # a scene without any tag
    found = []
    for devices in ({"cpu"}, set()):
        monkeypatch.setattr(blocks, "BLOCKWISE", devices)
        monkeypatch.setattr(consistency, "BLOCK", 7)
        monkeypatch.setattr(cross_entropy, "BLOCK", 11)
        model = build_model(small.model_config(num_classes=C, **settings)).train()
        model.load_state_dict(state)
        torch.manual_seed(0)
        result = model(collate_fn(samples))
        result["loss"].backward()
        learned = {k: p.grad for k, p in model.named_parameters() if p.grad is not None}
        found.append((result, learned, model.threshold_3d.count, model.threshold_2d.count))
    ours, theirs = found
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)
    assert ours[0]["rpc_2d"] > 0 and ours[0]["guidance_3d"] > 0
