"""WSegPCGuard: a training that diverges ends, and names what was not finite."""

from pathlib import Path

import pytest
import torch
from test_hooks import attach, toy_trainer
from torch import nn

from pointcept_wsegpc.hooks.guard import Diverged


def step(hook, number, **losses):
    hook.trainer.comm_info |= {
        "iter": number,
        "input_dict": {"name": [f"scene{number}_a", f"scene{number}_b"]},
        "model_output_dict": {k: torch.tensor(v) for k, v in losses.items()},
    }
    hook.after_step()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_the_first_step_and_term_that_are_not_finite_are_named(bad):
    hook = attach("WSegPCGuard", toy_trainer(nn.Linear(2, 2)), interval=4)
    step(hook, 0, loss=1.0, cam_3d=1.0)
    step(hook, 1, loss=bad, cam_3d=1.0, rpc_3d=bad)  # a term that the others do not have
    step(hook, 2, loss=bad, cam_3d=bad)
    with pytest.raises(
        Diverged, match=r"epoch 1, step 2 \(scenes scene1_a, scene1_b\): loss, rpc_3d "
    ):
        step(hook, 3, loss=1.0)


def test_a_batch_without_any_label_has_no_loss():
    """Pointcept's cross-entropy is NaN there, and its gradient zero."""
    hook = attach("WSegPCGuard", toy_trainer(nn.Linear(2, 2)))
    step(hook, 0, loss=float("nan"))
    hook.trainer.comm_info["input_dict"]["segment"] = torch.tensor([-1, -1])
    hook.steps.clear()
    hook.after_step()
    hook.look()
    hook.trainer.comm_info["input_dict"]["segment"][0] = 3
    hook.after_step()
    with pytest.raises(Diverged, match=r"step 1 .*loss"):
        hook.look()


def test_weights_are_looked_at_before_a_checkpoint_is_written():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    hook = attach("WSegPCGuard", toy_trainer(model))
    step(hook, 0, loss=1.0)
    hook.after_epoch()
    model[1].running_var[0] = torch.nan
    step(hook, 1, loss=1.0)
    with pytest.raises(Diverged, match=r"step 2 .*weights"):
        hook.after_epoch()


class Code:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_no_code_of_a_weight_file_runs(tmp_path):
    weight, ran = tmp_path / "model.pth", tmp_path / "ran"
    torch.save({"state_dict": {"weight": torch.ones(2)}, "epoch": Code(ran)}, weight)
    trainer = toy_trainer(cfg={"weight": str(weight), "save_path": str(tmp_path), "hooks": []})
    with pytest.raises(ValueError, match=r"model\.pth"):
        attach("WSegPCGuard", trainer).before_train()
    assert not ran.exists()
    attach("WSegPCGuard", trainer, trust=True).before_train()
    assert ran.exists()


@pytest.mark.parametrize("size", [0, 100])
def test_a_cut_weight_file_is_named(tmp_path, size):
    weight = tmp_path / "model.pth"
    torch.save({"state_dict": {"weight": torch.ones(2000)}}, weight)
    weight.write_bytes(weight.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"model\.pth"):
        start(tmp_path, weight=str(weight))


def start(folder, model=None, **cfg):
    """The log of a start of a training, with these settings, of which `folder` is the save_path."""
    cfg = {"save_path": str(folder), "hooks": [], **cfg}
    trainer = toy_trainer(nn.Linear(2, 2) if model is None else model, cfg=cfg)
    attach("WSegPCGuard", trainer).before_train()
    return "\n".join(trainer.logger)


def test_a_foreign_weight_file_is_named(tmp_path):
    weight, model = tmp_path / "model.pth", nn.Linear(2, 2)
    torch.save({"weight": torch.ones(2)}, weight)
    with pytest.raises(ValueError, match=r"model\.pth.*holds weight; expected the state_dict"):
        start(tmp_path, weight=str(weight))
    content = {"state_dict": {"weight": torch.ones(3, 2)}, "epoch": 1, "optimizer": {}}
    torch.save(content, weight)
    start(tmp_path, weight=str(weight))  # parts of a network may be taken
    with pytest.raises(ValueError, match=r"model\.pth.*no best_metric_value, no scheduler"):
        start(tmp_path, weight=str(weight), resume=True)
    content |= {"scheduler": {}, "best_metric_value": 0.5}
    torch.save(content, weight)
    with pytest.raises(ValueError, match=r"1 missing \(bias\), 1 of another shape \(weight\)"):
        start(tmp_path, weight=str(weight), resume=True)
    torch.save(content | {"state_dict": model.state_dict()}, weight)
    start(tmp_path, weight=str(weight), resume=True)


def test_a_resume_says_which_settings_differ(tmp_path):
    settings = {
        "epoch": 4,
        "num_worker": 8,
        "data": {"train": {"split": ("a", "b"), "grid_size": 0.04}},
        "hooks": [{"type": "CheckpointLoader"}, {"type": "WSegPCEMATeacher", "decay": 0.9}],
    }
    assert start(tmp_path, **settings) == ""
    assert start(tmp_path, **settings, resume=True) == ""
    more = {"type": "WSegPCProgress"}  # added where a process waits
    moved = settings | {"num_worker": 2, "hooks": [*settings["hooks"], more]}
    assert start(tmp_path, **moved, resume=True) == ""
    other = settings | {"epoch": 6, "data": {"train": {"split": ("a", "b"), "grid_size": 0.05}}}
    other["hooks"] = [settings["hooks"][0], {"type": "WSegPCEMATeacher", "decay": 0.99}]
    for _ in range(2):  # the record is that of the start
        lines = start(tmp_path, **other, resume=True).splitlines()
        assert [line.partition(": ")[2] for line in lines] == [
            "data.train.grid_size was 0.04, is 0.05",
            "epoch was 4, is 6",
            "hooks.WSegPCEMATeacher.decay was 0.9, is 0.99",
        ]
    assert start(tmp_path, **other) == start(tmp_path, **other, resume=True) == ""
