"""One line for a wrong input, whichever process raised it; a traceback for all else."""

import os
import pickle

import pytest
import torch
from cli import refused
from pointcept.limits import NotInStandIn
from test_stage_training import CONFIGS, STAGE_ONE, options, run

from pointcept_wsegpc.commands import errors


class Failing(torch.utils.data.Dataset):
    def __init__(self, error):
        self.error = error

    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise self.error


def caught(call, *arguments):
    with pytest.raises(Exception) as info:
        call(*arguments)
    return info.value


MESSAGES = [
    (ValueError("scene a has 3 points, not 4: prepare it again"), None),
    (FileNotFoundError("no label.npy in exp/a: 'x' is absent"), None),
    (FileNotFoundError(2, "No such file", "a.npy"), "[Errno 2] No such file: 'a.npy'"),
    (KeyError('scene it\'s is absent from "tags"'), None),
    (KeyError("inverse"), "key 'inverse' is missing"),
    (KeyError("two\nlines of  text"), "two lines of text"),
    (ValueError(), "ValueError"),
]


@pytest.mark.parametrize(("error", "expected"), MESSAGES)
def test_message(error, expected):
    assert errors.one_line(error) == (expected or error.args[0])


REFUSAL = NotInStandIn("GridSample(mode='test') is")


@pytest.mark.parametrize(
    ("error", "expected"), [MESSAGES[2], MESSAGES[3], MESSAGES[4], (REFUSAL, str(REFUSAL))]
)
def test_message_of_a_loader_worker(error, expected):
    loader = torch.utils.data.DataLoader(Failing(error), num_workers=1)
    raised = caught(next, iter(loader))
    assert type(raised) is type(error)
    assert errors.one_line(raised) == (expected or error.args[0])


def test_a_refusal_of_the_standin_can_be_sent_to_another_process():
    assert str(pickle.loads(pickle.dumps(REFUSAL))) == str(REFUSAL)


def test_the_process_ends_with_the_line(tmp_path):
    log = tmp_path / "log"
    log.write_text("before\n")
    with (
        pytest.raises(SystemExit, match=rf"^tool: no \(traceback in {log}\)$"),
        errors.end_in_one_line("tool", log),
    ):
        raise ValueError("no")
    lines = log.read_text().splitlines()
    assert lines[0] == "before" and lines[1].startswith("Traceback") and lines[-1].endswith("no")
    with pytest.raises(SystemExit, match=r"^tool: no$"), errors.end_in_one_line("tool"):
        raise ValueError("no")


def test_other_errors_pass(tmp_path):
    with pytest.raises(TypeError), errors.end_in_one_line("tool", tmp_path / "log"):
        raise TypeError("b")
    assert not (tmp_path / "log").exists()


def test_train_tool(root_copy, tmp_path):
    """A damaged scene that a loader worker meets; the traceback goes to the log."""
    for array in root_copy.glob("train/*/color.npy"):
        os.truncate(array, 200)
    result = run(CONFIGS / "wsegpc-cam.py", {**options(root_copy, tmp_path), **STAGE_ONE})
    assert result.returncode == 1 and "Traceback" not in result.stderr
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"train: {root_copy}/train/scene") and "color.npy cannot be read" in last
    assert last.endswith(f"(traceback in {tmp_path}/train.log)")
    assert "in DataLoader worker process" in (tmp_path / "train.log").read_text()


def test_train_without_a_config(tmp_path):
    assert "none.py" in refused("train", "-c", tmp_path / "none.py")
