"""Two processes of one scene each train like one process with both scenes."""

import pytest
import small
import torch
import torch.distributed as dist
from pointcept.datasets import build_dataset, collate_fn
from pointcept.models.builder import build_model
from torch.nn.parallel import DistributedDataParallel

from pointcept_wsegpc.files import read_json
from pointcept_wsegpc.hooks.pseudo_labels import export_pseudo_labels

STEPS = 3
# Every link is a pair, so that what is drawn does not depend on how scenes are spread.
ALL_PAIRS = {"max_pairs": 10**6, "max_pairs_per_view": 10**6, "min_pairs_per_view": 0}


# Settings of the model that are divided by what all processes hold, each in its own way.
VARIANTS = {
    "default": {},
    "labels": {
        "guidance_3d": "cam",
        "guidance_2d": "mse",
        "consistency": "region",
        "supervised_weight": 1.0,
    },
    "affinity": {"guidance_3d": "affinity", "guidance_2d": "cam", "consistency": "point-point"},
}


def build(state=None, **changes):
    # About what an untrained teacher is sure of, so that some points pass and some do not.
    model = build_model(small.model_config(**ALL_PAIRS, rpc_threshold=0.2, **changes))
    if state is not None:
        model.load_state_dict(state)
    return model.train()


def train_steps(model, batch):
    """Gradients of every step, and the model's buffers in the end."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=0.05)
    gradients, kept = [], []
    for _ in range(STEPS):
        optimizer.zero_grad()
        output = model(batch)
        output["loss"].backward()
        gradients.append([p.grad.clone() for p in parameters])
        kept.append([output["rpc_3d_kept"].item(), output["rpc_2d_kept"].item()])
        optimizer.step()
    buffers = {k: v.clone() for k, v in getattr(model, "module", model).named_buffers()}
    return {"gradients": gradients, "buffers": buffers, "kept": kept}


def start(rank, folder, processes=2):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/store", rank=rank, world_size=processes)


def train_one_rank(rank, folder):
    start(rank, folder)
    inputs = torch.load(folder / "inputs.pt")
    # As Pointcept wraps a model.
    model = DistributedDataParallel(
        build(inputs["state"], **inputs["changes"]),
        broadcast_buffers=False,
        find_unused_parameters=False,
    )
    result = train_steps(model, collate_fn([inputs["samples"][rank]]))
    torch.save(result, folder / f"rank{rank}.pt")
    dist.destroy_process_group()


def without_links(sample):
    columns = {key: sample[key][:0] for key in sample if key.startswith("link_")}
    return {**sample, **columns, "link_offset": torch.tensor([0])}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("second", "variant"),
    [("whole", "default"), *(("without any visible point", name) for name in VARIANTS)],
)
def test_gradients_and_thresholds_of_the_joint_batch(prepared_root, tmp_path, second, variant):
    changes = VARIANTS[variant]
    dataset = build_dataset(small.dataset_config(prepared_root, with_labels=variant == "labels"))
    dataset.set_epoch(0, 0)
    samples = [dataset[0], dataset[1]]
    if second != "whole":
        samples[1] = without_links(samples[1])
    assert len(samples[0]["coord"]) != len(samples[1]["coord"])
    model = build(**changes)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    torch.save({"state": state, "samples": samples, "changes": changes}, tmp_path / "inputs.pt")
    joint = train_steps(model, collate_fn(samples))

    torch.multiprocessing.spawn(train_one_rank, args=(tmp_path,), nprocs=2)
    ranks = [torch.load(tmp_path / f"rank{rank}.pt") for rank in (0, 1)]
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    for rank in ranks:
        for step in range(STEPS):
            pairs = zip(joint["gradients"][step], rank["gradients"][step], strict=True)
            for name, (one, other) in zip(names, pairs, strict=True):
                tolerance = 2e-4 * one.abs().max().item() + 1e-7
                assert (one - other).abs().max().item() < tolerance, f"step {step}: {name}"
        assert rank["buffers"].keys() == joint["buffers"].keys()
        for name, value in joint["buffers"].items():
            assert torch.equal(rank["buffers"][name], value), name
    # Counts of all steps, of points that passed the thresholds that the counts before made.
    assert all(joint["buffers"][f"threshold_{d}d.count"].sum() > 0 for d in (2, 3))
    assert any(0 < kept < 1 for pair in joint["kept"][1:] for kept in pair)


def test_the_check_would_see_a_wrong_scale(prepared_root):
    """One scene's gradient alone is far from the joint batch's: the tolerance above means much."""
    dataset = build_dataset(small.dataset_config(prepared_root))
    model = build()
    state = {key: value.clone() for key, value in model.state_dict().items()}
    joint = train_steps(model, collate_fn([dataset[0], dataset[1]]))["gradients"][0]
    alone = train_steps(build(state), collate_fn([dataset[0]]))["gradients"][0]
    differences = [
        ((a - b).abs().max() / a.abs().max()).item() for a, b in zip(joint, alone, strict=True)
    ]
    assert min(differences) > 0.01


def export_one_rank(rank, folder):
    start(rank, folder)
    inputs = torch.load(folder / "inputs.pt")
    model = build(inputs["state"])
    dataset = build_dataset(small.dataset_config(inputs["root"], mode="eval"))
    lines = []
    manifest = export_pseudo_labels(model, dataset, folder / "two", log=lines.append)
    torch.save((manifest, lines[0]), folder / f"rank{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_export_in_two_processes(prepared_root, tmp_path):
    model = build()
    torch.save({"state": model.state_dict(), "root": str(prepared_root)}, tmp_path / "inputs.pt")
    torch.multiprocessing.spawn(export_one_rank, args=(tmp_path,), nprocs=2)
    (manifest, first), (nothing, second) = (
        torch.load(tmp_path / f"rank{rank}.pt") for rank in (0, 1)
    )
    assert "2 of 2 scenes" in first and "1 of 1 scenes" in second and nothing == {}
    dataset = build_dataset(small.dataset_config(prepared_root, mode="eval"))
    alone = export_pseudo_labels(model, dataset, tmp_path / "one", log=lambda line: None)
    assert manifest == read_json(tmp_path / "two/store.json")
    assert {**manifest, "id": 0} == {**alone, "id": 0}
