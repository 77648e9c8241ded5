"""The smallest WSegPC that has every part: no batch statistics, some 17 000 weights.

N points.
"""

from pointcept.models.builder import MODELS
from torch import nn

import pointcept_wsegpc.register  # noqa: F401  WSegPC and the data sets by name
from pointcept_wsegpc.contracts.classes import ClassTable

SCANNET20 = ClassTable.shipped("scannet20")


@MODELS.register_module("Test-PointMLP")
class PointMLP(nn.Module):
    """feat (N, 6) -> features (N, 8) of each point alone."""

    out_channels = 8

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 8))

    def forward(self, input_dict):
        return self.layers(input_dict["feat"])


def model_config(**changes):
    encoder = {"name": "test_convnext", "weights": "none", "num_stages": 1}
    config = {
        "type": "WSegPC",
        "num_classes": len(SCANNET20.names),
        "backbone": {"type": "Test-PointMLP"},
        "image_encoder": encoder,
        "guidance_warmup_iters": 1,
        "rpc_warmup_iters": 1,
        "min_pairs_per_view": 4,
    }
    return {**config, **changes}


def dataset_config(root, mode="train", split="train", **changes):
    config = {
        "type": "WSegPCMultiViewDataset",
        "data_root": str(root),
        "split": split,
        "mode": mode,
        "num_views": 2,
        "grid_size": 0.15,
        "depth_tolerance": 0.15,
    }
    return {**config, **changes}
