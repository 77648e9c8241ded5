"""Mixed precision with spconv backbones, whose layers cast to half only where they train.

spconv itself needs a GPU for half precision. What stands in for two of its layers does what its
2.3.8 does: a 1 x 1 convolution is a matrix product, which autocast runs in half, and any other
refuses features of another type than its weights, unless it trains, when it casts both.
"""

import pytest
import torch
from pointcept.datasets import build_dataset, collate_fn
from pointcept.models.builder import MODELS
from small import dataset_config, model_config
from torch import nn

from pointcept_wsegpc.models.wsegpc import WSegPC


class FakeConv(nn.Module):
    __module__ = "spconv.pytorch.conv"

    def __init__(self, inputs, outputs, kernel_size):
        super().__init__()
        self.kernel_size = kernel_size
        self.weight = nn.Parameter(torch.randn(inputs, outputs) / inputs)

    def forward(self, features):
        weight = self.weight
        if self.kernel_size == 1:
            return features @ weight
        if self.training and torch.is_autocast_enabled("cpu"):
            kind = torch.get_autocast_dtype("cpu")
            features, weight = features.to(kind), weight.to(kind)
        if features.dtype != weight.dtype:
            raise RuntimeError("can't find suitable algorithm for 0")
        with torch.autocast("cpu", enabled=False):
            return features @ weight


@MODELS.register_module("Test-FakeSpconv")
class FakeNet(nn.Module):
    out_channels = 8

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(FakeConv(6, 16, 1), nn.ReLU(), FakeConv(16, 8, 3))

    def forward(self, input_dict):
        return self.layers(input_dict["feat"])


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_training_evaluation_and_export_under_autocast(prepared_root, kind):
    torch.manual_seed(0)
    model = MODELS.build(model_config(backbone={"type": "Test-FakeSpconv"}))
    assert isinstance(model, WSegPC)
    data = build_dataset(dataset_config(prepared_root))
    batch = collate_fn([data[0], data[1]])
    exact = model.infer(batch, "teacher")["seg_logits"]
    with torch.autocast("cpu", kind):
        loss = model(batch)["loss"]
        loss.backward()
        for network in ("teacher", "student"):
            model.eval()
            logits = model.infer(batch, network)["seg_logits"]
            torch.testing.assert_close(logits.float(), exact, rtol=0.05, atol=0.05)
    assert loss.isfinite()
    assert all(weight.grad.isfinite().all() for weight in model.student.backbone.parameters())
