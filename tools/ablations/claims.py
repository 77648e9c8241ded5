"""What the tables compare: the differences by which the paper's say what each part is good for."""

from __future__ import annotations

from .rows import Comparison

ONE_WAY, CMG, RPC_3D = "CAM + 2D→3D", "CAM + CMG", "CMG + RPC 3D"
RPC, WHOLE = "CMG + RPC 3D + RPC 2D", "CMG + RPC + Mix3D"

CLAIMS = {
    "components": (
        Comparison("guidance 2D→3D", ONE_WAY, "CAM"),
        Comparison("guidance 3D→2D beside it", CMG, ONE_WAY),
        Comparison("consistency in 3D, with guidance", RPC_3D, CMG),
        Comparison("consistency without guidance", "CAM + RPC", "CAM"),
        Comparison("what it gains more with guidance", RPC_3D, CMG, less=("CAM + RPC", "CAM")),
        Comparison("consistency in 2D beside it", RPC, RPC_3D),
        Comparison("Mix3D", WHOLE, RPC),
        Comparison("all but Mix3D", RPC, "CAM"),
        Comparison("full supervision beyond that", "full supervision", RPC),
        Comparison("all of it", WHOLE, "CAM"),
        Comparison("full supervision beyond that", "full supervision", WHOLE),
    ),
    "partitions": (
        *(
            Comparison(f"ground truth in place of {label}", "oracle", label)
            for label in (
                "growing", "supervoxel", "supervoxel+growing", "growing:wypr", "point-wise",
            )
        ),
        Comparison("removal of structures", "growing", "growing, structures stay"),
    ),
    "thresholds": (
        Comparison("regions vote", "region-point, fixed, 0.8", "point-point, fixed, 0.8"),
        Comparison("thresholds adapt", "region-point, adaptive, 0.8", "region-point, fixed, 0.8"),
        Comparison(
            "points' own logits learn", "region-point, adaptive, 0.8", "region, adaptive, 0.8"
        ),
    ),
    "weights": (
        Comparison("pre-training", "pretrained", "none"),
        Comparison("training them on", "pretrained", "frozen"),
    ),
}  # fmt: skip
