"""The data sets on which tables can be run: their configurations, places and networks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]  # where all commands run
PRETRAINED, PRETRAINED_LARGE = "exp/pretrained/resnet18.pth", "exp/pretrained/resnet50.pth"
PRETRAINING = {  # options of tools/studies/pretrain_images.py --out FILE
    PRETRAINED: "",
    PRETRAINED_LARGE: "--network resnet50 --num-stages 0 --size 320x240 --workers 16",
}
SLIM = (24, 32, 48, 64, 64, 48, 32, 32)  # widths of the synthetic configs' Mink U-Net


@dataclass(frozen=True)
class Benchmark:
    """A data set, and the configurations that every row of a table starts from.

    first, second: stage one's two parts, the second from the weights of the first; config files
        without configs/ and .py. Their difference is the schedule and the consistency.
    partition: the method by which wsegpc regions made the regions of `data_root`.
    make: what makes the data. classes: the class set, in words.
    networks_3d, networks_2d, image_weights: {label: differences of the configuration}.
    networks_note, weights_note: what is to be known about networks_* and image_weights.
    stage_one, more: differences of both parts of stage one, and of every training.
    """

    name: str
    title: str
    first: str
    second: str
    stage_two: str
    data_root: str
    make: str
    classes: str = "ScanNet 20"
    partition: str = "growing"
    networks_3d: dict = field(default_factory=dict)
    networks_2d: dict = field(default_factory=dict)
    image_weights: dict = field(default_factory=dict)
    networks_note: str = ""
    weights_note: str = ""
    stage_one: dict = field(default_factory=dict)
    more: dict = field(default_factory=dict)

    @property
    def exp(self) -> str:
        """Folder of the trainings under exp/: benchmarks on the same data share what is equal."""
        return f"ablation/{Path(self.data_root).name}"


def encoder(**settings) -> dict:
    return {f"model.image_encoder.{key}": value for key, value in settings.items()}


def slim(layers) -> dict:
    return {"model.backbone.planes": SLIM, "model.backbone.layers": layers}


RESNETS = {
    name: encoder(name=f"{name.replace('-', '').lower()}.tv_in1k", weights="imagenet")
    for name in ("ResNet-34", "ResNet-50", "ResNet-101")
}

SCANNET = Benchmark(
    name="scannet",
    title="ScanNet v2",
    first="scannet/wsegpc-cmg",
    second="scannet/wsegpc-cmg-rpc",
    stage_two="scannet/stage2-minkunet18c",
    data_root="data/scannet_wsegpc",
    make="wsegpc prepare scannet and wsegpc regions (README: Run it in Pointcept)",
    networks_3d={arch: {"model.backbone.arch": arch} for arch in ("14A", "18A", "34C")},
    networks_2d=RESNETS,
    image_weights={
        "none": encoder(weights="none"),
        "ImageNet": encoder(weights="imagenet"),
        "DINO": encoder(weights="data/weights/dino_resnet50.pth"),
        "MoCo": encoder(weights="data/weights/moco_resnet50.pth"),
        "frozen": encoder(weights="imagenet", frozen=True),
    },
)

# The configurations of ScanNet as they are, networks and views of the paper's size.
LARGE = replace(
    SCANNET,
    name="synthetic-large",
    title="SynthRooms v1 large",
    data_root="data/synthrooms_large",
    make="wsegpc synthrooms --out data/synthrooms_large --edition large",
    image_weights={**SCANNET.image_weights, "pretrained": encoder(weights=PRETRAINED_LARGE)},
    weights_note="pretrained: weights of tools/studies/pretrain_images.py.",
)

SYNTHETIC = Benchmark(
    name="synthetic",
    title="SynthRooms v1 small",
    first="synthrooms/wsegpc-cmg",
    second="synthrooms/wsegpc-cmg-rpc",
    stage_two="synthrooms/stage2-minkunet",
    data_root="data/synthrooms_small",
    make="wsegpc synthrooms --out data/synthrooms_small",
    stage_one=encoder(weights=PRETRAINED),
    networks_3d={
        "14A": slim((1,) * 8),
        "18A": slim((2,) * 8),
        "34C": slim((2, 3, 4, 6, 2, 2, 2, 2)),
    },
    networks_note=(
        "3D networks have the block counts of their names, and slim widths. There are pre-trained "
        "weights of ResNet-18 alone, so the 2D rows start at random; the 3D rows start from them."
    ),
    networks_2d={
        name: encoder(name=name.replace("-", "").lower(), weights="none")
        for name in ("ResNet-18", "ResNet-34", "ResNet-50")
    },
    image_weights={
        "none": encoder(weights="none"),
        "pretrained": encoder(name="resnet18", weights=PRETRAINED),
        "frozen": encoder(name="resnet18", weights=PRETRAINED, frozen=True),
    },
    weights_note=(
        "pretrained, frozen: weights of tools/studies/pretrain_images.py; "
        "the paper's are ImageNet's."
    ),
)

SCRATCH = replace(
    SYNTHETIC,
    name="synthetic-scratch",
    title="SynthRooms v1 small, without pre-training",
    stage_one=encoder(weights="none"),
)

BENCHMARKS = {found.name: found for found in (SYNTHETIC, SCRATCH, LARGE, SCANNET)}
