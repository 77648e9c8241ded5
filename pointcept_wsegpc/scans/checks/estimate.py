"""About how long a training on this data takes: an assumption, scaled by the data."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """Stage one: epochs x loop of both parts (CMG, then CMG + RPC), and what a step takes.

    seconds: assumed of a step of `batch` scenes with the paper's networks on one recent GPU, at
    `voxels` a scene and `pixels` a view; it grows with both, half and half.
    """

    repetitions: int = 50 * 4 + 25 * 4
    batch: int = 4
    num_views: int = 6
    seconds: float = 1.0
    voxels: int = 80_000
    pixels: int = 320 * 240


def estimate(records, schedule):
    """{steps, hours, gigabytes, assumption} of records of check_scene of the training scenes."""
    voxels = [record["voxels"] for record in records if record.get("voxels")]
    pixels = [math.prod(record["size"]) for record in records if record.get("size")]
    steps = math.ceil(len(records) / schedule.batch) * schedule.repetitions
    load = 0.5 * _relative(voxels, schedule.voxels) + 0.5 * _relative(pixels, schedule.pixels)
    return {
        "steps": steps,
        "hours": round(steps * schedule.seconds * load / 3600, 2),
        "gigabytes": round(sum(record.get("bytes", 0) for record in records) / 1e9, 3),
        "assumption": (
            f"stage one, {schedule.repetitions} passes in batches of {schedule.batch}, "
            f"{schedule.seconds:g} s a step on one GPU at {schedule.voxels} voxels a scene and "
            f"{schedule.num_views} views of {schedule.pixels} pixels (assumed, not measured; "
            "--seconds-per-step), scaled by this data"
        ),
    }


def _relative(values, reference):
    return sum(values) / len(values) / reference if values else 0.0
