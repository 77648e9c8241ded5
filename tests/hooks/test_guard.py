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
    trainer = toy_trainer(cfg={"weight": str(weight)})
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
        attach("WSegPCGuard", toy_trainer(cfg={"weight": str(weight)})).before_train()
