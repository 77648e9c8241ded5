"""What only the stand-in promises: a resume that is exact, and clear refusals."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pointcept.datasets.builder import DATASETS

pytestmark = pytest.mark.skipif("CONTRACT_ENGINE" in os.environ, reason="about the stand-in alone")

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]


def run_training(save_path, config=HERE / "configs/toy_killed.py", kill=False, options=()):
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(REPOSITORY), str(HERE)]))
    environment.pop("POINTCEPT_ROOT", None)
    if kill:
        environment["TOY_KILL"] = "1"
    command = [sys.executable, str(REPOSITORY / "tools/train.py"), "--config-file", str(config)]
    command += ["--num-gpus", "1", "--options", f"save_path={save_path}", *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_killed_and_resumed_gives_the_same_weights(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    result = run_training(whole)
    assert result.returncode == 0, result.stderr
    assert "Engine: Pointcept stand-in" in result.stderr
    assert run_training(killed, kill=True).returncode == 9
    last = killed / "model/model_last.pth"
    assert torch.load(last, weights_only=False)["epoch"] == 1
    # As scripts/train.sh resumes: from the configuration that the first run dumped.
    options = ("resume=True", f"weight={last}")
    result = run_training(killed, config=killed / "config.py", options=options)
    assert result.returncode == 0, result.stderr
    expected, resumed = (
        torch.load(folder / "model/model_last.pth", weights_only=False)
        for folder in (whole, killed)
    )
    assert resumed["epoch"] == expected["epoch"] == 3
    assert resumed["best_metric_value"] == expected["best_metric_value"]
    for name, value in resumed["state_dict"].items():
        assert torch.equal(value, expected["state_dict"][name])


def test_order_of_scenes_changes_with_epoch_and_seed():
    from pointcept.engines.train import EpochSampler

    def order(seed, epoch):
        sampler = EpochSampler(20, seed)
        sampler.epoch = epoch
        return list(sampler)

    assert order(1, 1) == order(1, 1)
    assert sorted(order(1, 1)) == list(range(20))
    assert len({tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


@pytest.mark.skipif(sys.platform != "linux", reason="about Linux")
def test_workers_are_forked(train):
    """Those of a fork server, Python 3.14's default, outlive a training that is killed."""
    trainer = train(num_worker=1)
    for loader in (trainer.train_loader, trainer.build_val_loader()):
        assert loader.multiprocessing_context.get_start_method() == "fork"


def test_gradient_accumulation_equals_a_larger_batch(train, tmp_path):
    # A loss averages over its batch, and every scene has as many labeled points.
    weights = []
    for batch_size, steps in ((8, 1), (4, 2)):
        train(batch_size=batch_size, gradient_accumulation_steps=steps)
        checkpoint = torch.load(tmp_path / "exp/model/model_last.pth", weights_only=False)
        weights.append(checkpoint["state_dict"]["backbone.linear.weight"])
    torch.testing.assert_close(*weights)


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        ({"mix_prob": 0.8}, "mix_prob = 0.8"),
        ({"enable_wandb": True}, "enable_wandb"),
        ({"model.backbone.type": "PT-v3m1"}, "PT-v3m1"),
        (
            {"hooks": [{"type": "CheckpointLoader", "keywords": "a"}]},
            "keywords of CheckpointLoader",
        ),
        ({"data.train": {"type": "ScanNetDataset", "test_mode": True}}, "test_mode"),
    ],
)
def test_refusals_name_what_and_how_to_get_it(train, overrides, named):
    with pytest.raises(NotImplementedError) as error:
        train(**overrides)
    message = str(error.value)
    assert named in message
    assert "install Pointcept" in message and "\n" not in message


def test_several_gpus_are_refused():
    from pointcept.engines.launch import launch

    with pytest.raises(NotImplementedError, match=r"2 GPUs.*install Pointcept"):
        launch(print, num_gpus_per_machine=2)


def test_empty_data_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"{tmp_path}.*'val'"):
        DATASETS.build({"type": "ScanNetDataset", "data_root": str(tmp_path), "split": "val"})


def test_resume_without_a_checkpoint(train, tmp_path):
    train()
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        train(resume=True, weight=str(tmp_path / "none.pth"))


class Code:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_no_code_of_a_weight_file_runs(train, tmp_path):
    weight, ran = tmp_path / "model.pth", tmp_path / "ran"
    torch.save({"state_dict": {}, "epoch": Code(ran)}, weight)
    with pytest.raises(ValueError, match=r"model\.pth"):
        train(weight=str(weight))
    assert not ran.exists()


def test_epochs_that_do_not_divide(train):
    with pytest.raises(ValueError, match="epoch = 5"):
        train(epoch=5)
