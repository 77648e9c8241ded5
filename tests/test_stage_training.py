"""Whole trainings through tools/train.py on the stand-in: hand-over, kill and resume, refusals."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from pointcept_wsegpc.files import read_json

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIGS = REPOSITORY / "configs/quickstart"

# Three scenes, batches of two: an epoch of the trainer has three steps.
SMALL = {"batch_size": 2, "epoch": 6, "eval_epoch": 3, "num_worker": 1}
STAGE_ONE = {
    "model.backbone.planes": "(8,8,8,8,8,8,8,8)",
    "model.image_encoder.name": "resnet10t",
    "model.image_encoder.num_stages": 1,
    "model.min_pairs_per_view": 4,
}
STAGE_TWO = {"model.backbone.planes": "(8,8,8,8,8,8,8,8)"}


def options(root, folder, **more):
    """Command-line overrides of a small training on the data set `root` into `folder`."""
    roots = {f"data.{part}.data_root": root for part in ("train", "val")}
    return {**SMALL, **roots, "save_path": folder, **more}


def command(config, settings):
    pairs = [f"{key}={value}" for key, value in settings.items()]
    arguments = ["--config-file", config, "--num-gpus", 1, "--options", *pairs]
    return [sys.executable, str(REPOSITORY / "tools/train.py"), *map(str, arguments)]


def environment():
    values = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    values.pop("POINTCEPT_ROOT", None)
    return values


def run(config, settings):
    return subprocess.run(
        command(config, settings), env=environment(), capture_output=True, text=True
    )


def train(config, settings):
    """Run a training that must end well; its log."""
    result = run(config, settings)
    assert result.returncode == 0, result.stderr[-3000:]
    assert "Engine: Pointcept stand-in" in result.stderr
    return (Path(settings["save_path"]) / "train.log").read_text()


def kill_in_second_epoch(config, settings):
    """SIGKILL to a training and its loader workers, at some moment after epoch 2 started."""
    log = Path(settings["save_path"]) / "train.log"
    process = subprocess.Popen(
        command(config, settings),
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        step = random.SystemRandom().choice([1, 2])
        deadline = time.monotonic() + 240
        while f"Train: [2/3][{step}/3]" not in (log.read_text() if log.is_file() else ""):
            assert process.poll() is None, f"ended by itself with {process.returncode}"
            assert time.monotonic() < deadline, "epoch 2 was not reached"
            time.sleep(0.005)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def checkpoint(folder):
    return torch.load(Path(folder) / "model/model_last.pth", weights_only=False)


def equal(one, other):
    """Bitwise equality of nested dictionaries and lists of tensors and numbers."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


def check_same_end(whole, resumed, scores=True):
    """Two trainings ended with the same weights, optimizer and schedule; `scores`: best score."""
    one, other = checkpoint(whole), checkpoint(resumed)
    assert one["epoch"] == other["epoch"] == 3
    different = [k for k, v in one["state_dict"].items() if not equal(v, other["state_dict"][k])]
    assert different == []
    for key in ("optimizer", "scheduler", *(["best_metric_value"] if scores else [])):
        assert equal(one[key], other[key]), key


def resume(folder):
    """Go on as scripts/train.sh does: from the dumped config and the last checkpoint."""
    settings = {"save_path": folder, "resume": True, "weight": folder / "model/model_last.pth"}
    return train(folder / "config.py", settings)


@pytest.fixture(scope="module")
def chain(prepared_root, tmp_path_factory):
    """cam -> cmg -> cmg-rpc -> stage two, each from what the one before it wrote; their folders."""
    folder = tmp_path_factory.mktemp("chain")
    weight, logs = None, {}
    for name in ("wsegpc-cam", "wsegpc-cmg", "wsegpc-cmg-rpc"):
        settings = options(prepared_root, folder / name, **STAGE_ONE)
        if name != "wsegpc-cmg-rpc":
            settings.update(epoch=1, eval_epoch=1)
        if weight:
            settings["weight"] = weight
        logs[name] = train(CONFIGS / f"{name}.py", settings)
        weight = folder / name / "model/model_last.pth"
    settings = stage_two_options(prepared_root, folder, folder / "stage2")
    logs["stage2"] = train(CONFIGS / "stage2-minkunet.py", settings)
    return folder, logs


def stage_one_options(root, folder, save_path, **more):
    weight = folder / "wsegpc-cmg/model/model_last.pth"
    return options(root, save_path, **STAGE_ONE, weight=weight, **more)


def stage_two_options(root, folder, save_path, **more):
    store = {"data.train.store": folder / "wsegpc-cmg-rpc/pseudo_labels"}
    return options(root, save_path, **STAGE_TWO, **store, **more)


@pytest.mark.slow
class TestHandOver:
    def test_every_stage_takes_what_the_one_before_left(self, chain):
        folder, logs = chain
        assert "no weight given, everything starts anew" in logs["wsegpc-cam"]
        cam = len(checkpoint(folder / "wsegpc-cam")["state_dict"])
        found = re.search(r"Hand-over: (\d+) of (\d+) entries from", logs["wsegpc-cmg"])
        assert int(found[1]) == cam == int(found[2]) - 4  # the two projections are new
        assert "started anew: project_images, project_points" in logs["wsegpc-cmg"]
        cmg = len(checkpoint(folder / "wsegpc-cmg")["state_dict"])
        assert f"Hand-over: {cmg} of {cmg} entries from" in logs["wsegpc-cmg-rpc"]

    def test_losses_are_those_of_the_stage(self, chain):
        _, logs = chain
        terms = ("cam_3d", "cam_2d", "guidance_3d", "guidance_2d", "rpc_3d", "rpc_2d")
        for name, count in (("wsegpc-cam", 2), ("wsegpc-cmg", 4), ("wsegpc-cmg-rpc", 6)):
            found = [term for term in terms if f"{term}: " in logs[name]]
            assert found == list(terms[:count])

    def test_stage_one_starts_its_schedule_anew(self, chain):
        folder, _ = chain
        state = checkpoint(folder / "wsegpc-cmg-rpc")["state_dict"]
        assert state["iteration"] == 9  # steps of this stage alone
        assert state["threshold_3d.count"].sum() > 0 and state["threshold_2d.count"].sum() > 0

    def test_teacher_follows_but_is_not_the_student(self, chain):
        folder, _ = chain
        state = checkpoint(folder / "wsegpc-cmg-rpc")["state_dict"]
        pairs = [(v, state[f"teacher.{k[8:]}"]) for k, v in state.items() if k[:8] == "student."]
        assert len(pairs) > 50
        weights = [(a, b) for a, b in pairs if a.is_floating_point()]
        assert sum(torch.equal(a, b) for a, b in weights) < len(weights) / 10

    def test_labels_are_exported_and_trained_on(self, chain, prepared_root):
        folder, logs = chain
        manifest = read_json(folder / "wsegpc-cmg-rpc/pseudo_labels/store.json")
        assert len(manifest["scenes"]) == 3 and 0 < manifest["quality"]["miou"]["3d"] <= 1
        for scene in (prepared_root / "train").iterdir():
            with np.load(folder / f"wsegpc-cmg-rpc/pseudo_labels/{scene.name}.npz") as stored:
                assert len(stored["label"]) == len(np.load(scene / "coord.npy"))
        assert re.search(r"Val result: mIoU/mAcc/allAcc 0\.\d+", logs["stage2"])
        assert checkpoint(folder / "stage2")["epoch"] == 3


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
class TestKilledAndResumed:
    """The uninterrupted run had one worker: their number must not matter either."""

    def test_stage_one(self, chain, prepared_root, tmp_path, workers):
        folder, _ = chain
        settings = stage_one_options(prepared_root, folder, tmp_path, num_worker=workers)
        kill_in_second_epoch(CONFIGS / "wsegpc-cmg-rpc.py", settings)
        assert checkpoint(tmp_path)["epoch"] in (1, 2)
        log = resume(tmp_path)
        assert "Resuming train at eval epoch: " in log and "(resumed)" in log
        check_same_end(folder / "wsegpc-cmg-rpc", tmp_path)
        whole, resumed = (
            read_json(run / "pseudo_labels/store.json")
            for run in (folder / "wsegpc-cmg-rpc", tmp_path)
        )
        assert {**whole, "about": 0, "id": 0} == {**resumed, "about": 0, "id": 0}

    def test_stage_two(self, chain, prepared_root, tmp_path, workers):
        folder, _ = chain
        settings = stage_two_options(prepared_root, folder, tmp_path, num_worker=workers)
        kill_in_second_epoch(CONFIGS / "stage2-minkunet.py", settings)
        assert checkpoint(tmp_path)["epoch"] in (1, 2)
        resume(tmp_path)
        # Pointcept's validation samples one point per voxel at random, each loader process on its
        # own: another number of them gives another score.
        check_same_end(folder / "stage2", tmp_path, scores=workers == 1)


@pytest.mark.slow
def test_another_seed_gives_other_weights(chain, prepared_root, tmp_path):
    # Without this, equal weights above could mean that nothing is random at all.
    folder, _ = chain
    settings = stage_one_options(prepared_root, folder, tmp_path, seed=5)
    train(CONFIGS / "wsegpc-cmg-rpc.py", settings)
    one, other = checkpoint(folder / "wsegpc-cmg-rpc"), checkpoint(tmp_path)
    assert not equal(one["state_dict"], other["state_dict"])


@pytest.mark.slow
def test_without_any_point_label(chain, root_copy, tmp_path):
    """The same weights and labels, whether or not ground truth lies beside the points."""
    folder, _ = chain
    deleted = [*root_copy.rglob("segment*.npy"), *root_copy.rglob("*.label.png")]
    assert len(deleted) > 5
    for path in deleted:
        path.unlink()
    settings = stage_one_options(root_copy, folder, tmp_path / "exp", evaluate=False)
    train(CONFIGS / "wsegpc-cmg-rpc.py", settings)
    one, other = checkpoint(folder / "wsegpc-cmg-rpc"), checkpoint(tmp_path / "exp")
    assert equal(one["state_dict"], other["state_dict"])
    manifest = read_json(tmp_path / "exp/pseudo_labels/store.json")
    assert manifest["quality"]["miou"] == {} and len(manifest["scenes"]) == 3
    for path in (folder / "wsegpc-cmg-rpc/pseudo_labels").glob("*.npz"):
        with np.load(path) as seen, np.load(tmp_path / "exp/pseudo_labels" / path.name) as blind:
            assert np.array_equal(seen["label"], blind["label"])


@pytest.mark.slow
def test_full_supervision(prepared_root, tmp_path):
    """The upper bound, through the config and its command, and what it says of itself."""
    settings = options(prepared_root, tmp_path, **STAGE_ONE)
    log = train(CONFIGS / "supervised.py", settings)
    assert "Point labels are read in training (with_labels=True)" in log
    assert "supervised: " in log and "guidance_3d: " not in log and "rpc_3d: " not in log
    assert read_json(tmp_path / "pseudo_labels/store.json")["quality"]["miou"]["3d"] > 0
    refused = run(
        CONFIGS / "supervised.py", {**settings, "data.train.with_labels": False, "evaluate": False}
    )
    assert refused.returncode != 0
    assert "no point labels, but supervised_weight is 1.0" in refused.stderr


def test_a_refusal_ends_with_one_line(tmp_path):
    result = run(CONFIGS / "wsegpc-cmg.py", options("nowhere", tmp_path))
    assert result.returncode != 0
    assert "expected <root>/<split>/<scene>/" in result.stderr.strip().splitlines()[-1]
