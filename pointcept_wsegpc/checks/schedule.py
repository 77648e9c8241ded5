"""How long stage one will take, before it is started."""

from __future__ import annotations

import math
from dataclasses import dataclass

OWN_STEPS = 8000  # of CMG on own scans; RPC takes half as many


def own_loop(scenes: int, batch: int = 4) -> int:
    """Passes over own scans in each of 50 epochs, for about OWN_STEPS iterations of a batch.

    Own data sets are small. However many scenes there are, there are no fewer passes than on
    ScanNet. Nobody has tuned this.
    """
    return max(4, round(OWN_STEPS * batch / 50 / max(scenes, 1)))


@dataclass(frozen=True)
class Schedule:
    """Stage one: (epochs, passes in each) of both parts, CMG and CMG + RPC, and a step's time.

    seconds: assumed of a step of `batch` scenes with the paper's networks on one recent GPU, at
    `voxels` a scene and `pixels` a view; it grows with both, half and half.
    """

    parts: tuple[tuple[int, int], ...] = ((50, 4), (25, 4))
    batch: int = 4
    num_views: int = 6
    seconds: float = 1.0
    voxels: int = 80_000
    pixels: int = 320 * 240

    def steps(self, scenes: int) -> int:
        """Iterations: an epoch leaves out what does not fill its last batch, if it has several."""
        return sum(epochs * self._per_epoch(scenes * loop) for epochs, loop in self.parts)

    def _per_epoch(self, samples):
        return samples // self.batch or min(samples, 1)


def estimate(records: list[dict], schedule: Schedule) -> dict:
    """{steps, hours, gigabytes, assumption} of records of check_scene of the training scenes."""
    voxels = [record["voxels"] for record in records if record.get("voxels")]
    pixels = [math.prod(record["size"]) for record in records if record.get("size")]
    steps = schedule.steps(len(records))
    load = 0.5 * _relative(voxels, schedule.voxels) + 0.5 * _relative(pixels, schedule.pixels)
    epochs = " and ".join(f"{epochs} epochs of {loop} passes" for epochs, loop in schedule.parts)
    return {
        "steps": steps,
        "hours": round(steps * schedule.seconds * load / 3600, 2),
        "gigabytes": round(sum(record.get("bytes", 0) for record in records) / 1e9, 3),
        "assumption": (
            f"stage one, {epochs} in batches of {schedule.batch}, "
            f"{schedule.seconds:g} s a step on one GPU at {schedule.voxels} voxels a scene and "
            f"{schedule.num_views} views of {schedule.pixels} pixels (assumed, not measured; "
            "--seconds-per-step), scaled by this data"
        ),
    }


def _relative(values, reference):
    return sum(values) / len(values) / reference if values else 0.0
