"""The views of a batch as stacks of one size each: one array cannot hold several sizes.

Shapes: V views, in stacks of v views of H x W pixels; P pixels of all views, a view after the other
and row-major within each; L pairs; C channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from ..losses.ragged import pixel_rows


class Stack(NamedTuple):
    """Views of one size: their positions in the batch and their maps (v, C, H, W)."""

    views: list[int]
    maps: torch.Tensor


def stack_views(pixels: torch.Tensor, sizes: Sequence[tuple[int, int]]) -> list[Stack]:
    """Images from their pixels (P, C) and their sizes (H, W); one empty stack where V = 0."""
    if not sizes:
        return [Stack([], pixels.reshape(0, pixels.shape[1], 1, 1))]
    parts = pixels.split([height * width for height, width in sizes])
    stacks = []
    for size in dict.fromkeys(sizes):
        views = [view for view, other in enumerate(sizes) if other == size]
        rows = pixels if len(views) == len(sizes) else torch.cat([parts[view] for view in views])
        maps = rows.reshape(len(views), *size, -1).permute(0, 3, 1, 2)
        stacks.append(Stack(views, maps.contiguous()))
    return stacks


def stacked_rows(stacks: Sequence[Stack]) -> torch.Tensor:
    """The pixels (P, C) of stacks, views in the order of the batch; of one stack no copy."""
    if len(stacks) == 1:
        return pixel_rows(stacks[0].maps)
    rows = [pixel_rows(maps).split(maps.shape[2] * maps.shape[3]) for _, maps in stacks]
    return torch.cat(_in_order(stacks, rows))


def view_means(stacks: Sequence[Stack]) -> torch.Tensor:
    """Mean over the pixels of each view, (V, C) float32."""
    means = [maps.float().mean((2, 3)) for _, maps in stacks]
    return means[0] if len(stacks) == 1 else torch.stack(_in_order(stacks, means))


def _in_order(stacks, parts):
    """Parts, for every stack one of each of its views, in the order of the batch."""
    views = [view for stack in stacks for view in stack.views]
    flat = [part for of_stack in parts for part in of_stack]
    return [flat[at] for at in sorted(range(len(views)), key=views.__getitem__)]


def read_views(
    stacks: Sequence[Stack], view: torch.Tensor, read: Callable[..., torch.Tensor]
) -> torch.Tensor:
    """Values (L, D) of pairs, each from the stack that holds its view (L,) of the batch.

    read(number of the stack, view in it (L,)) -> (L, D) is called for all pairs with every stack: a
    GPU need not say which pair belongs where. What it gives for others' pairs is dropped.
    """
    if len(stacks) == 1:
        return read(0, view)
    places = [[(number, at) for at in range(len(s.views))] for number, s in enumerate(stacks)]
    place = torch.tensor(_in_order(stacks, places))
    stack, at = place.to(view.device, non_blocking=True)[view].T
    result = None
    for number in range(len(stacks)):
        mine = stack == number
        values = read(number, torch.where(mine, at, 0))
        result = values if result is None else torch.where(mine[:, None], values, result)
    return result
