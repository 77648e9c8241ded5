import numpy as np
import pytest
import torch
from torch import nn

from pointcept_wsegpc.models.checkpoint import (
    load_exactly,
    read_checkpoint,
    training_state,
    upgrade_state,
)


class Runs:
    def __reduce__(self):
        return (exec, ("raise SystemExit",))


def test_a_training_comes_back(tmp_path):
    model, other = nn.Linear(2, 3), nn.Linear(2, 3)
    state = {f"module.{key}": value for key, value in model.state_dict().items()}
    torch.save({"state_dict": state, "best_metric_value": np.float64(0.5)}, tmp_path / "w.pth")
    load_exactly(other, training_state(read_checkpoint(tmp_path / "w.pth")))
    assert torch.equal(other.weight, model.weight)


def test_safetensors(tmp_path):
    from safetensors.torch import save_file

    save_file({"weight": torch.ones(2)}, tmp_path / "w.safetensors")
    assert read_checkpoint(tmp_path / "w.safetensors")["weight"].tolist() == [1, 1]


def test_nothing_of_a_file_is_run_unless_it_is_trusted(tmp_path):
    torch.save({"state_dict": {}, "extra": Runs()}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"w.pth.*--trust"):
        read_checkpoint(tmp_path / "w.pth")
    with pytest.raises(SystemExit):
        read_checkpoint(tmp_path / "w.pth", trust=True)


def test_what_does_not_fit_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"1 missing \(bias\), 1 unknown \(extra\)"):
        load_exactly(nn.Linear(2, 3), {"weight": torch.ones(3, 2), "extra": torch.ones(1)})
    with pytest.raises(ValueError, match="state_dict"):
        training_state({"weight": torch.ones(1)})
    with pytest.raises(FileNotFoundError, match=r"nothing.pth"):
        read_checkpoint(tmp_path / "nothing.pth")


def test_entries_of_earlier_versions():
    old = {"module.project_pixels.weight": 1, "student.image_head.weight": 2}
    with pytest.raises(ValueError, match="`project_pixels` is now `project_images`"):
        training_state({"state_dict": old})
    new = {"module.project_images.weight": 1, "student.image_head.weight": 2}
    assert upgrade_state(old) == new
