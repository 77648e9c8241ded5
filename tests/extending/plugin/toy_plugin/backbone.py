"""A 3D backbone: what a point is, beside what its scene is on average."""

import torch
from pointcept.models.builder import MODELS
from torch import nn


@MODELS.register_module("ToyPointNet")
class ToyPointNet(nn.Module):
    def __init__(self, in_channels, out_channels, width=32):
        super().__init__()
        self.out_channels = out_channels
        self.point = nn.Sequential(nn.Linear(in_channels, width), nn.ReLU())
        self.out = nn.Linear(2 * width, out_channels)

    def forward(self, input_dict):
        feat, offset = self.point(input_dict["feat"]), input_dict["offset"]
        sizes = torch.diff(offset, prepend=offset.new_zeros(1)).tolist()
        scenes = [s.mean(0, keepdim=True).expand_as(s) for s in feat.split(sizes)]
        return self.out(torch.cat((feat, torch.cat(scenes)), dim=1))
