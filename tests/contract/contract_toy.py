"""A linear model, a data set of labeled random points and a hook that notes its calls."""

import os

import numpy as np
import torch
from pointcept.datasets.builder import DATASETS
from pointcept.engines.hooks.builder import HOOKS
from pointcept.engines.hooks.default import HookBase
from pointcept.models.builder import MODELS
from torch import nn


@MODELS.register_module("Toy-Linear")
class ToyLinear(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.linear = nn.Linear(3, num_classes)

    def forward(self, input_dict):
        return self.linear(input_dict["coord"])


@DATASETS.register_module()
class ToyDataset(torch.utils.data.Dataset):
    """``size`` scenes of 40 points; the class follows from x, every tenth point is unlabeled."""

    def __init__(self, loop=1, size=4):
        self.loop = loop
        self.size = size

    def __len__(self):
        return self.size * self.loop

    def __getitem__(self, index):
        coord = np.random.default_rng(index % self.size).normal(size=(40, 3)).astype(np.float32)
        segment = np.digitize(coord[:, 0], [-0.5, 0.5])
        segment[::10] = -1
        return {
            "coord": torch.from_numpy(coord),
            "segment": torch.from_numpy(segment),
            "offset": torch.tensor([40]),
            "name": f"scene{index}",
        }


@DATASETS.register_module()
class ToyOriginalDataset(ToyDataset):
    """Every point stands for one original point of class 1: whatever is said of the others."""

    def __getitem__(self, index):
        inverse, segment = torch.zeros(5, dtype=torch.long), torch.full((5,), 1)
        return dict(super().__getitem__(index), inverse=inverse, origin_segment=segment)


@HOOKS.register_module()
class CallRecorder(HookBase):
    """Notes (call, epoch, iteration) in ``trainer.comm_info["calls"]``."""

    def note(self, call):
        calls = self.trainer.comm_info.setdefault("calls", [])
        calls.append((call, self.trainer.epoch, self.trainer.comm_info.get("iter")))

    def before_train(self):
        self.note("before_train")

    def before_epoch(self):
        assert self.trainer.model.training
        self.note("before_epoch")

    def before_step(self):
        assert "coord" in self.trainer.comm_info["input_dict"]
        self.note("before_step")

    def after_step(self):
        assert "loss" in self.trainer.comm_info["model_output_dict"]
        self.note("after_step")

    def after_epoch(self):
        assert "current_metric_value" in self.trainer.comm_info
        self.note("after_epoch")

    def after_train(self):
        self.note("after_train")


@HOOKS.register_module()
class KillInEpoch(HookBase):
    """End the process at once, in the middle of an epoch, when TOY_KILL is set."""

    def __init__(self, epoch):
        self.epoch = epoch

    def after_step(self):
        if "TOY_KILL" in os.environ and self.trainer.epoch == self.epoch:
            os._exit(9)
