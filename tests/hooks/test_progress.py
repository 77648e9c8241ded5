"""How far a training says it is."""

from types import SimpleNamespace

import torch

from pointcept_wsegpc import register  # noqa: F401
from pointcept_wsegpc.hooks import progress
from pointcept_wsegpc.jobs.process import PROGRESS_FILE, read_progress


def test_resumed_training_counts_its_own_steps(tmp_path, monkeypatch):
    monkeypatch.setenv(PROGRESS_FILE, str(tmp_path / "progress.json"))
    now = iter([100.0, 110.0, 110.5])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    hook = progress.WSegPCProgress()
    info = {"iter": 0, "model_output_dict": {"loss": torch.tensor(0.5)}}
    hook.trainer = SimpleNamespace(
        train_loader=range(4), start_epoch=1, epoch=1, max_epoch=3, comm_info=info
    )
    hook.before_train()
    hook.after_step()  # 5 of 12 steps: the first of this process took 10 s, 7 are left
    said = read_progress(tmp_path / "progress.json")
    assert said == "step 5/12, epoch 2/3, loss 0.5000, 1:10 left"
    info["iter"] = 1
    hook.after_step()  # too soon after the last one
    assert read_progress(tmp_path / "progress.json") == said
