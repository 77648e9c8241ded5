"""The teacher: averaging of the whole state, and an eval mode that survives the trainer."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from pointcept_wsegpc.models.teacher import build_teacher, copy_state, ema_update


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv1d(3, 4, 1), nn.BatchNorm1d(4), nn.ReLU(), nn.Conv1d(4, 2, 1))


def snapshot(module):
    return {k: v.detach().numpy().copy() for k, v in module.state_dict().items()}


def trained(seed):
    model = network(seed)
    for _ in range(seed):
        model(torch.randn(5, 3, 7) * 3 + 1)
    return model


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.999, 1.0])
def test_average_against_numpy(decay):
    student, teacher = trained(2), build_teacher(trained(5))
    before, target = snapshot(teacher), snapshot(student)
    ema_update(teacher, student, decay)
    assert snapshot(student).keys() == before.keys()
    for key, value in snapshot(teacher).items():
        if key.endswith("num_batches_tracked"):
            assert value == target[key] == 2
        else:
            expected = decay * before[key] + (1 - decay) * target[key]
            np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6, err_msg=key)
    assert all(np.array_equal(v, target[k]) for k, v in snapshot(student).items())


def test_decay_0_forgets_even_a_nan():
    student, teacher = trained(1), build_teacher(network())
    nn.init.constant_(teacher[0].weight, float("nan"))
    copy_state(teacher, student)
    assert all(np.array_equal(v, snapshot(student)[k]) for k, v in snapshot(teacher).items())


def test_a_copy_shares_no_memory():
    student = network()
    teacher = build_teacher(student)
    with torch.no_grad():
        student[0].weight.add_(1)
    assert not torch.equal(student[0].weight, teacher[0].weight)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_student_and_teacher_may_differ_in_type(dtype):
    student, teacher = network(1).to(dtype), build_teacher(network(2))
    expected = (teacher[0].weight + student[0].weight.float()) / 2
    ema_update(teacher, student, 0.5)
    torch.testing.assert_close(teacher[0].weight, expected)
    half = build_teacher(network(2)).to(dtype)
    half[1].float()  # mixed types inside one network
    ema_update(half, network(1), 0.5)
    assert half[0].weight.dtype == dtype and half[1].weight.dtype == torch.float32


def test_eval_mode_survives_the_trainer():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.student = network()
            self.teacher = build_teacher(self.student)

    model = Model().train()
    assert model.student[1].training
    assert not any(m.training for m in model.teacher.modules())
    before = snapshot(model.teacher)
    model.teacher(torch.randn(5, 3, 7))
    assert all(np.array_equal(v, before[k]) for k, v in snapshot(model.teacher).items())
    copied = copy.deepcopy(model).train()
    assert copied.student[1].training and not copied.teacher[1].training


def test_teacher_takes_no_gradient_and_keeps_the_student_trainable():
    student = network()
    teacher = build_teacher(student)
    assert not any(p.requires_grad for p in teacher.parameters())
    assert all(p.requires_grad for p in student.parameters()) and student.training
    assert isinstance(teacher, nn.Sequential)
    assert list(teacher.state_dict()) == list(student.state_dict())


def test_module_without_floats():
    class Counter(nn.Module):
        def __init__(self, value):
            super().__init__()
            self.register_buffer("count", torch.tensor(value))

    teacher = build_teacher(Counter(1))
    ema_update(teacher, Counter(7), 0.9)
    assert teacher.count == 7


@pytest.mark.parametrize(
    "other",
    [nn.Sequential(nn.Conv1d(3, 4, 1)), nn.Sequential(nn.Conv1d(3, 5, 1), nn.BatchNorm1d(5))],
)
def test_different_structures(other):
    with pytest.raises(ValueError, match="teacher and student differ in"):
        ema_update(build_teacher(network()), other, 0.9)


@pytest.mark.parametrize("decay", [-0.1, 1.1, float("nan")])
def test_decay_out_of_range(decay):
    with pytest.raises(ValueError, match="expected 0 to 1"):
        ema_update(build_teacher(network()), network(), decay)
