"""The trainer: order of calls, checkpoints, resume, evaluation, schedules."""

import numpy as np
import pytest
import torch
from pointcept.models.builder import build_model
from pointcept.utils.config import Config


def last_checkpoint(folder):
    return torch.load(folder / "exp/model/model_last.pth", weights_only=False)


def test_calls_and_checkpoint(train, tmp_path):
    # 4 scenes x loop 2 in batches of 4: 2 steps in each of 2 epochs.
    trainer = train()
    calls = trainer.comm_info["calls"]
    step = ["before_step", "after_step"]
    epoch = ["before_epoch", *step, *step, "after_epoch"]
    assert [call for call, _, _ in calls] == ["before_train", *epoch, *epoch, "after_train"]
    steps = [call[1:] for call in calls if call[0] == "after_step"]
    assert steps == [(0, 0), (0, 1), (1, 0), (1, 1)]
    checkpoint = last_checkpoint(tmp_path)
    keys = ["best_metric_value", "epoch", "optimizer", "scaler", "scheduler", "state_dict"]
    assert sorted(checkpoint) == keys
    assert checkpoint["epoch"] == 2
    assert checkpoint["best_metric_value"] == pytest.approx(trainer.best_metric_value)
    files = sorted(path.name for path in (tmp_path / "exp/model").iterdir())
    assert files == ["model_best.pth", "model_last.pth"]


def test_weight_without_resume_starts_at_epoch_zero(train, tmp_path):
    train()
    weight = tmp_path / "first.pth"
    (tmp_path / "exp/model/model_last.pth").rename(weight)
    trainer = train(weight=str(weight), **{"optimizer.lr": 0.0})
    assert trainer.start_epoch == 0
    first = torch.load(weight, weights_only=False)["state_dict"]
    for name, value in last_checkpoint(tmp_path)["state_dict"].items():
        assert torch.equal(value, first[name])


def test_resume_goes_on_where_it_stopped(train, tmp_path, monkeypatch):
    # One batch holds the whole data set, so the order of its scenes changes nothing but rounding.
    whole = {"batch_size": 8, "epoch": 8, "eval_epoch": 4}
    train(**whole)
    expected = last_checkpoint(tmp_path)

    import contract_toy

    def stop(hook):
        if hook.trainer.epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(contract_toy.CallRecorder, "before_step", stop)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        train(**whole)
    monkeypatch.undo()
    assert last_checkpoint(tmp_path)["epoch"] == 2
    weight = str(tmp_path / "exp/model/model_last.pth")
    trainer = train(**whole, weight=weight, resume=True)
    assert trainer.start_epoch == 2
    resumed = last_checkpoint(tmp_path)
    assert resumed["scheduler"]["last_epoch"] == expected["scheduler"]["last_epoch"] == 4
    for name, value in resumed["state_dict"].items():
        torch.testing.assert_close(value, expected["state_dict"][name])


def test_evaluator_against_numpy(train):
    trainer = train(epoch=40, **{"optimizer.lr": 0.5})
    pred, target = [], []
    trainer.model.eval()
    for batch in trainer.val_loader:
        device = next(trainer.model.parameters()).device
        batch = {k: v.to(device) if torch.is_tensor(v) else v for k, v in batch.items()}
        with torch.no_grad():
            output = trainer.model(batch)
        assert sorted(output) == ["loss", "seg_logits"]
        pred.append(output["seg_logits"].argmax(1).cpu().numpy())
        target.append(batch["segment"].cpu().numpy())
    pred, target = np.concatenate(pred), np.concatenate(target)
    pred, target = pred[target >= 0], target[target >= 0]
    iou = [
        np.sum((pred == c) & (target == c)) / max(np.sum((pred == c) | (target == c)), 1)
        for c in range(4)
    ]
    assert 0.2 < np.mean(iou) <= 0.75  # it learns, and the absent class counts as 0
    assert trainer.comm_info["current_metric_value"] == pytest.approx(np.mean(iou), abs=1e-6)
    assert trainer.comm_info["current_metric_name"] == "mIoU"


def test_evaluator_scores_original_points(train):
    trainer = train(**{"data.val.type": "ToyOriginalDataset"})
    hits = []
    for batch in trainer.val_loader:
        device = next(trainer.model.parameters()).device
        logits = trainer.model.backbone({"coord": batch["coord"][:1].to(device)})
        hits.append(logits.argmax(1).item() == 1)
    assert trainer.comm_info["current_metric_value"] == pytest.approx(np.mean(hits) / 4, abs=1e-6)


def test_segmentor_outputs(load):
    model = build_model(load().model)
    batch = {"coord": torch.randn(6, 3), "segment": torch.tensor([0, 1, 2, -1, 0, 1])}
    loss = model.train()(batch)["loss"]
    labeled = batch["segment"] >= 0
    expected = torch.nn.functional.cross_entropy(
        model.backbone(batch)[labeled], batch["segment"][labeled]
    )
    torch.testing.assert_close(loss, expected)
    del batch["segment"]
    assert list(model.eval()(batch)) == ["seg_logits"]


def test_poly_schedule_and_parameter_groups(train):
    groups = Config({"of": [{"keyword": "bias", "lr": 0.01, "weight_decay": 0.5}]}).of
    trainer = train(epoch=3, eval_epoch=3, param_dicts=groups)
    default, bias = trainer.optimizer.param_groups
    assert (default["initial_lr"], bias["initial_lr"], bias["weight_decay"]) == (0.05, 0.01, 0.5)
    assert {id(p) for p in bias["params"]} == {id(trainer.model.backbone.linear.bias)}
    factor = (1 - 3 / 4) ** 0.9  # 3 steps of 3, one more in the divisor
    assert trainer.scheduler.get_last_lr() == pytest.approx([0.05 * factor, 0.01 * factor])
