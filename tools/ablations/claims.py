"""What the tables are to show, as the paper's on ScanNet do: differences between two rows."""

from __future__ import annotations

from .rows import Comparison

BEST = "CMG + RPC + Mix3D"

CLAIMS = {
    "components": (
        Comparison("guidance by 2D raises 3D", "CAM + 2D→3D", "CAM"),
        Comparison("guidance by 3D raises 2D", "CAM + CMG", "CAM + 2D→3D", "2D"),
        Comparison("guidance by 3D does not lower 3D", "CAM + CMG", "CAM + 2D→3D"),
        Comparison("consistency in 3D, with guidance, raises 3D", "CMG + RPC 3D", "CAM + CMG"),
        Comparison("consistency without guidance raises 3D", "CAM + RPC", "CAM"),
        Comparison("consistency in 2D raises 2D", "CMG + RPC 3D + RPC 2D", "CMG + RPC 3D", "2D"),
        Comparison("consistency in 2D does not lower 3D", "CMG + RPC 3D + RPC 2D", "CMG + RPC 3D"),
        Comparison("Mix3D does not lower 3D", BEST, "CMG + RPC 3D + RPC 2D"),
        Comparison("stage two is above stage one", BEST, BEST, "val stage two", "val stage one"),
        Comparison("stage two is above that of CAM", BEST, "CAM", "val stage two"),
        Comparison("full supervision is above it", "full supervision", BEST, "val stage two"),
    ),
    "partitions": (
        Comparison("ground-truth regions are above growing", "oracle", "growing"),
        Comparison("the same after the vote", "oracle", "growing", "3D voted"),
        Comparison("growing is above no regions", "growing", "point-wise"),
    ),
    "thresholds": (
        Comparison("regions vote", "region-point, fixed, 0.8", "point-point, fixed, 0.8"),
        Comparison("thresholds adapt", "region-point, adaptive, 0.8", "region-point, fixed, 0.8"),
    ),
}
