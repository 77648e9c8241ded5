"""2D class scores brought to the points that the views see, fused over the views.

Shapes: N points, V views of H x W pixels, C classes. Meters and pixels; pixel centers are at
integer coordinates: the center of the top-left pixel is (0, 0).
"""

from __future__ import annotations

from itertools import repeat

import numpy as np
import torch
from torch import Tensor

MIN_PROBABILITY = 1e-6  # a class that one view excludes is unlikely, not impossible
FUSIONS = ("log", "mean")


def lift(
    coord,
    scores,
    intrinsic,
    world_to_camera,
    depth=None,
    tolerance: tuple[float, float] = (0.05, 0.05),
    tags=None,
    how: str = "log",
):
    """Class probabilities of points from the scores of all views.

    Args: coord (N, 3) m; scores (V, C, H, W) probabilities; intrinsic (V, 3, 3) of the scores'
        grid; world_to_camera (V, 4, 4); depth (V, H, W) m on that grid, 0 = missing, None: a
        z-buffer of the points themselves; tolerance: of the measured depth, in meters and as a
        share of it, whichever is larger; tags (C,): absent classes get no probability, in each
        view before the views are fused; how: "log", softmax of the mean log-probability, or "mean".
    Returns: probs (N, C), rows that sum to 1 where a view sees the point and are 0 elsewhere, and
        seen (N,) int64, the number of views. A view without mass on any present class at a point
        does not count as seeing it. numpy in, numpy out; torch in, torch out on coord's device.
    Raises: ValueError for shapes that do not fit and an unknown `how`.
    """
    is_numpy = not isinstance(coord, Tensor)
    coord = torch.as_tensor(np.asarray(coord)) if is_numpy else coord
    scores, intrinsic, world_to_camera = (
        torch.as_tensor(a, device=coord.device) for a in (scores, intrinsic, world_to_camera)
    )
    depth = repeat(None) if depth is None else torch.as_tensor(depth, device=coord.device)
    if scores.ndim != 4:
        raise ValueError(f"scores are {tuple(scores.shape)}; expected (V, C, H, W)")
    fusion = Fusion(coord, scores.shape[1], tolerance, tags, how)
    for view in zip(scores, intrinsic, world_to_camera, depth, strict=False):
        fusion.add(*view)
    probs, seen = fusion.result()
    return (probs.numpy(), seen.numpy()) if is_numpy else (probs, seen)


class Fusion:
    """What `lift` computes, view by view: scenes whose scores do not fit into memory at once."""

    def __init__(
        self, coord: Tensor, num_classes: int, tolerance=(0.05, 0.05), tags=None, how="log"
    ):
        if how not in FUSIONS:
            raise ValueError(f"how is {how!r}; expected one of {', '.join(FUSIONS)}")
        self.coord, self.tolerance, self.how = coord.double(), tolerance, how
        present = torch.ones(num_classes) if tags is None else torch.as_tensor(tags)
        if present.shape != (num_classes,):
            raise ValueError(f"tags are {tuple(present.shape)}; expected ({num_classes},)")
        self.present = (present > 0).to(coord.device)
        self.masked = tags is not None
        self.total = coord.new_zeros(len(coord), num_classes, dtype=torch.float32)
        self.seen = coord.new_zeros(len(coord), dtype=torch.int64)

    def add(self, scores: Tensor, intrinsic: Tensor, world_to_camera: Tensor, depth=None) -> None:
        """One view: scores (C, H, W), its camera, depth (H, W) m or None for a z-buffer."""
        if len(scores) != len(self.present):
            raise ValueError(f"scores have {len(scores)} classes; expected {len(self.present)}")
        point, u, v = self._visible(scores.shape[1:], intrinsic, world_to_camera, depth)
        probs = bilinear(scores, u, v) * self.present
        mass = probs.sum(1)
        sees = mass > 0  # not where the network says nothing, or what is not a number
        point, probs, mass = point[sees], probs[sees], mass[sees, None]
        if self.masked:
            probs = probs / mass
        if self.how == "log":
            probs = probs.clamp(min=MIN_PROBABILITY).log()
        self.total[point] += probs  # a view sees a point once: no index is there twice
        self.seen[point] += 1

    def result(self) -> tuple[Tensor, Tensor]:
        """Probabilities (N, C) and the number of seeing views (N,) so far."""
        seen = (self.seen > 0)[:, None]
        if self.how == "log":
            mean = self.total / self.seen.clamp(min=1)[:, None]
            probs = mean.masked_fill(~(seen & self.present), -torch.inf).softmax(1)
        else:
            probs = self.total / self.total.sum(1, keepdim=True)
        return torch.where(seen, probs, 0.0), self.seen

    def _visible(self, size, intrinsic, world_to_camera, depth):
        """Points (M,) that the view sees, and where: u, v (M,) px."""
        height, width = size
        matrix = intrinsic.double() @ world_to_camera.double()[:3]
        homogeneous = self.coord @ matrix[:, :3].T + matrix[:, 3]
        z = homogeneous[:, 2]
        uv = homogeneous[:, :2] / torch.where(z > 0, z, torch.ones_like(z))[:, None]
        row, col = (uv[:, [1, 0]] + 0.5).floor().unbind(1)
        on_grid = (z > 0) & (row >= 0) & (row < height) & (col >= 0) & (col < width)
        cell = torch.where(on_grid, row * width + col, 0.0).long()
        if depth is None:
            nearest = torch.full((height * width,), torch.inf, dtype=z.dtype, device=z.device)
            nearest.scatter_reduce_(0, cell[on_grid], z[on_grid], "amin")
        else:
            if tuple(depth.shape) != (height, width):
                raise ValueError(
                    f"depth is {tuple(depth.shape)}; expected {(height, width)}, the scores' grid"
                )
            nearest = depth.reshape(-1).double()
        measured = nearest[cell]
        allowed = (self.tolerance[1] * measured).clamp(min=self.tolerance[0])
        u, v = uv.unbind(1)
        inside = on_grid & (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)
        seen = inside & (measured > 0) & ((measured - z).abs() <= allowed)
        point = seen.nonzero().squeeze(1)
        return point, u[point], v[point]


def bilinear(maps: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Maps (C, H, W) read at u, v (M,) px inside [0, W - 1] x [0, H - 1]: (M, C) float32."""
    height, width = maps.shape[1:]
    left = u.floor().clamp(0, max(width - 2, 0)).long()
    top = v.floor().clamp(0, max(height - 2, 0)).long()
    right, bottom = (left + 1).clamp(max=width - 1), (top + 1).clamp(max=height - 1)
    x, y = (u - left).float(), (v - top).float()
    corners = (
        (top, left, (1 - y) * (1 - x)),
        (top, right, (1 - y) * x),
        (bottom, left, y * (1 - x)),
        (bottom, right, y * x),
    )
    return sum(maps[:, row, col].float() * weight for row, col, weight in corners).T
