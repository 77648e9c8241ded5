"""Which voxels a sparse convolution multiplies with which kernel cell, and the multiplication.

N voxels, C input channels, D output channels, K kernel cells (k ** 3), M pairs.

A sparse convolution is a list of pairs (source voxel, kernel cell, target voxel). The list is found
once from sorted voxel keys. A layer gathers the source rows, multiplies the rows of each cell by
that cell's matrix and sums per target; its backward is the same with the ends swapped.
"""

from functools import cached_property
from typing import NamedTuple

import torch
import torch.nn.functional as F


class PairEnd:
    """One end of every pair: ``rows`` (M,) int64 into a table of ``num_rows`` rows."""

    def __init__(self, rows, num_rows):
        self.rows = rows
        self.num_rows = num_rows

    @cached_property
    def _bags(self):
        """Pair ids sorted by row (M,), and where each row's run starts (num_rows,)."""
        counts = torch.bincount(self.rows, minlength=self.num_rows)
        return torch.argsort(self.rows, stable=True), torch.cumsum(counts, 0) - counts

    def gather(self, table, sizes):
        """Yield (m, C) of a table (num_rows, C) for each run of m pairs, all in one buffer."""
        buffer = table.new_empty(max(sizes), table.shape[1])
        for rows in self.rows.split(sizes):
            yield torch.index_select(table, 0, rows, out=buffer[: len(rows)])

    def sum(self, values):
        """(M, C) -> (num_rows, C): the sum over each row's pairs, 0 for a row without any."""
        order, starts = self._bags
        return F.embedding_bag(order, values, starts, mode="sum")


class KernelMap(NamedTuple):
    """Pairs grouped by kernel cell; ``sizes`` are the K group lengths, in the weight's order."""

    source: PairEnd
    target: PairEnd
    sizes: list

    def transposed(self):
        """The same pairs with the ends swapped."""
        return KernelMap(self.target, self.source, self.sizes)


def submanifold_map(indices, spatial_shape, kernel_size):
    """Pairs of voxels at most kernel_size // 2 apart along each axis; indices (N, 4) are unique.

    Only the cells before the center are searched. The center pairs each voxel with itself, and the
    cells after it hold the same pairs as their mirror images with the ends swapped.
    """
    radius, num = kernel_size // 2, len(indices)
    # A margin of `radius` free cells behind each axis keeps a shifted key out of the next row.
    _, y_dim, z_dim = dims = [size + radius for size in spatial_shape]
    key, order = torch.sort(_ravel(indices.long(), dims))
    shift = torch.arange(-radius, radius + 1, device=key.device)
    column = ((shift[:, None] * y_dim + shift) * z_dim - radius).flatten()
    wanted = column[: len(column) // 2 + 1, None] + key  # lowest cell of each column of the kernel
    # Neighbours along z follow each other in the sorted keys: search a column once, then walk up.
    position = torch.searchsorted(key, wanted)
    key = torch.cat((key, key.new_full((1,), torch.iinfo(key.dtype).max)))
    hits, positions = [], []
    for _ in range(kernel_size):
        hits.append(key[position] == wanted)
        positions.append(position)
        position, wanted = position + hits[-1], wanted + 1
    before = kernel_size**3 // 2
    hits = torch.stack(hits, 1).flatten(0, 1)[:before]
    cell, target = hits.nonzero().unbind(1)
    source = torch.stack(positions, 1).flatten(0, 1)[cell, target]
    sizes = torch.bincount(cell, minlength=before).tolist()
    source, target = order[source], order[target]

    def all_cells(rows, mirrored):
        return torch.cat((rows, order, *reversed(mirrored.split(sizes))))

    source, target = all_cells(source, target), all_cells(target, source)
    return KernelMap(PairEnd(source, num), PairEnd(target, num), [*sizes, num, *reversed(sizes)])


def strided_map(indices, spatial_shape, stride):
    """Pairs of each voxel with the coarse voxel around it, coarse indices (N', 4), coarse shape."""
    coarse, inside = indices.long(), indices[:, 1:].long() % stride
    coarse = torch.cat((coarse[:, :1], coarse[:, 1:] // stride), 1)
    coarse_shape = [size // stride for size in spatial_shape]
    key, parent = torch.unique(_ravel(coarse, coarse_shape), return_inverse=True)
    coarse = coarse.new_empty(len(key), 4).index_copy_(0, parent, coarse)
    cell = _ravel(F.pad(inside, (1, 0)), [stride] * 3)
    order = torch.argsort(cell, stable=True)
    sizes = torch.bincount(cell, minlength=stride**3).tolist()
    source, target = PairEnd(order, len(indices)), PairEnd(parent[order], len(key))
    return KernelMap(source, target, sizes), coarse, coarse_shape


def _ravel(indices, dims):
    batch, x, y, z = indices.unbind(1)
    return ((batch * dims[0] + x) * dims[1] + y) * dims[2] + z


class _PairwiseMatmul(torch.autograd.Function):
    """Rows are gathered per cell, and again in backward: all together are several times the
    features, and what fits the cache is multiplied at once.
    """

    @staticmethod
    def forward(ctx, features, weight, kernel_map):
        source, target, sizes = kernel_map
        ctx.save_for_backward(features, weight)
        ctx.kernel_map = kernel_map
        products = features.new_empty(len(source.rows), weight.shape[2])
        cells = zip(source.gather(features, sizes), weight, products.split(sizes), strict=True)
        for rows, matrix, result in cells:
            torch.mm(rows, matrix, out=result)
        return target.sum(products)

    @staticmethod
    def backward(ctx, grad):
        features, weight = ctx.saved_tensors
        source, target, sizes = ctx.kernel_map
        products = grad_weight = None
        if ctx.needs_input_grad[0]:
            products = grad.new_empty(len(target.rows), weight.shape[1])
            results = products.split(sizes)
        if ctx.needs_input_grad[1]:
            grad_weight = torch.empty_like(weight)
        ends = zip(source.gather(features, sizes), target.gather(grad, sizes), strict=True)
        for cell, (rows, grads) in enumerate(ends):
            if products is not None:
                torch.mm(grads, weight[cell].t(), out=results[cell])
            if grad_weight is not None:
                torch.mm(rows.t(), grads, out=grad_weight[cell])
        return None if products is None else source.sum(products), grad_weight, None


def pairwise_matmul(features, weight, kernel_map):
    """Sum over pairs: out[target] += features[source] @ weight[cell].

    features (N, C), weight (D, k, k, k, C) -> (rows of the target end, D), in the weight's type:
    under mixed precision the pairs are still multiplied in float32.
    """
    cells = weight.flatten(1, 3).permute(1, 2, 0)  # (K, C, D), a view
    with torch.autocast(features.device.type, enabled=False):
        return _PairwiseMatmul.apply(features.to(weight.dtype), cells, kernel_map)
