"""Cross-entropy summed over weighted points, with its gradient made in the same pass.

Shapes: N points, C classes. PyTorch's own keeps the log-softmax of all points until the backward
pass and then adds two more (N, C) buffers: at 2D size (24 views of 320 x 240, 20 classes) 150 MB
each. Here the gradient is the only one, on a CPU filled block by block, each in the cache.
"""

from __future__ import annotations

import torch
from torch.autograd.function import once_differentiable

from .blocks import block_size
from .distributed import mean_over_processes
from .precision import full_precision

BLOCK = 16384  # points per block and thread of a CPU: (BLOCK, C) float32 stays in its cache


def selected_cross_entropy(
    logits: torch.Tensor, label: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Sum of cross-entropies of logits (N, C) against label (N,) int64, times weight (N,) -> ().

    weight may be boolean: True selects a point.
    """
    return _SelectedCrossEntropy.apply(logits, label, weight)


@full_precision
def labeled_cross_entropy(
    logits: torch.Tensor, label: torch.Tensor, alone: bool = False
) -> torch.Tensor:
    """Mean cross-entropy of logits (N, C) over the points whose label (N,) is not negative -> ().

    In distributed training it is divided by the processes' mean number of such points, so that
    averaged gradients equal those of the joint batch; alone=True divides by this process's own, for
    evaluation, where the others may have fewer scenes. No such point gives a connected zero.
    """
    known = label >= 0
    total = selected_cross_entropy(logits, label.long().clamp(min=0), known)
    count = known.sum()
    return total / (count.clamp(min=1) if alone else mean_over_processes(count, logits.device))


class _SelectedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, label, weight):
        ctx.save_for_backward(logits, label, weight)
        total, ctx.grad = _loss_and_gradient(logits, label, weight, ctx.needs_input_grad[0])
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        # The buffer is scaled and given away; a retained graph's next backward makes a new one.
        grad, ctx.grad = ctx.grad, None
        if grad is None:
            _, grad = _loss_and_gradient(*ctx.saved_tensors, True)
        return grad.mul_(grad_output), None, None


def _loss_and_gradient(logits, label, weight, needs_gradient):
    """The sum () and, or None, its derivative by the logits (N, C)."""
    weight, size = weight.to(logits.dtype), block_size(logits, BLOCK * torch.get_num_threads())
    given = logits, label[:, None], weight[:, None]
    if len(logits) <= size:
        return _block(*given, needs_gradient)
    total = logits.new_zeros(())
    grad = torch.empty(logits.shape, dtype=logits.dtype, device=logits.device)
    for *block, part in zip(*(tensor.split(size) for tensor in (*given, grad)), strict=True):
        total += _block(*block, needs_gradient, part)[0]
    return total, grad if needs_gradient else None


def _block(x, y, w, needs_gradient, out=None):
    """`_loss_and_gradient` of one block; out: where its gradient is to stand."""
    log_probs = torch.log_softmax(x, dim=1)
    total = -(log_probs.gather(1, y) * w).sum()
    if not needs_gradient:
        return total, None
    # d/dx = (softmax(x) - onehot(y)) * w
    grad = torch.mul(log_probs.exp_(), w, out=log_probs if out is None else out)
    return total, grad.scatter_add_(1, y, -w)
