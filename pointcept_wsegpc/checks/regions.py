"""Checks regions of a scene: one id per point, useful sizes; and the region images of its views.

N points, R regions.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..contracts.views import Views, read_view_image
from .findings import Findings
from .points import load_array
from .views import EXTRACT

MIN_ASSIGNED = 0.5  # share of the points
MAX_SHARE = 0.9  # share of the points in one region, beyond which votes decide nothing


def check_regions(findings: Findings, scene: str | Path, num_points: int | None) -> None:
    """Add what is wrong with region.npy of a scene folder with N points."""
    again = f"{EXTRACT} --force"
    region = load_array(findings, Path(scene) / "region.npy", EXTRACT, again)
    if region is None:
        return
    region = region.reshape(-1)
    if region.dtype.kind not in "iu":
        findings.add("region-dtype", f"region.npy is {region.dtype}; expected int32", again)
        return
    if num_points is not None and len(region) != num_points:
        what = f"region.npy has {len(region)} ids, the scene {num_points} points"
        findings.add("region-length", what, again)
        return
    assigned = region[region >= 0]
    sizes = np.unique(assigned, return_counts=True)[1]
    share = len(assigned) / max(len(region), 1)
    findings.metrics.update(regions=len(sizes), assigned=round(share, 4))
    if share < MIN_ASSIGNED:
        what = f"{share:.0%} of the points have a region; expected {MIN_ASSIGNED:.0%} or more"
        findings.add("regions-few", what, "tune with `wsegpc sweep-regions`", wasted=False)
    elif sizes.max(initial=0) > MAX_SHARE * len(region):
        what = f"one region holds {sizes.max() / len(region):.0%} of the points"
        findings.add("region-leaks", what, "tune with `wsegpc sweep-regions`", wasted=False)


def check_view_regions(findings: Findings, scene: Path, frames: list[int], views: Views) -> None:
    """Add region images of the views `frames` that do not fit their stored sizes."""
    for frame, size in zip(views.frame, views.size, strict=True):
        if frame not in frames:
            continue
        try:
            read_view_image(scene, frame, "region", size)
        except FileNotFoundError:  # counted with the other missing images
            continue
        except (ValueError, OSError) as error:
            findings.add("view-regions", f"region image: {error}", f"{EXTRACT} --force")
            return
