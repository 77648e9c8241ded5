"""Sparse 3D convolutions: spconv, or the same three layers in plain torch.

N voxels, C input channels, D output channels, k kernel size.

``sparse_layers(backend)`` hands out ``SparseTensor``, ``SubMConv3d``, ``SparseConv3d`` and
``SparseInverseConv3d``. Both sets hold their weight as (D, k, k, k, C) under the key ``weight``, so
a checkpoint written with one loads into the other. The torch set computes what the U-Net needs and
no more: no bias, submanifold convolutions of odd size, strided ones whose kernel equals the stride.
"""

import functools
from types import SimpleNamespace

import torch
from torch import nn

from ..registry import check_choice
from .kernel_map import pairwise_matmul, strided_map, submanifold_map

BACKENDS = ("auto", "spconv", "torch")


def sparse_layers(backend="auto"):
    """Return a namespace with the four names above.

    ``auto`` takes spconv where it can use a GPU and plain torch elsewhere: spconv 2.3.8's CPU
    code is somewhat faster, but with more than one thread its results are wrong and change.
    Raises ValueError for an unknown name and ImportError where spconv is asked for but missing.
    """
    check_choice("backend", backend, BACKENDS)
    if backend == "torch" or (backend == "auto" and not _spconv_runs_on_gpu()):
        return SimpleNamespace(SparseTensor=SparseTensor, **{c.__name__: c for c in TORCH_LAYERS})
    try:
        import spconv.pytorch as spconv
    except ImportError as error:
        raise ImportError(
            f"backend='spconv' but spconv cannot be imported ({error}); "
            "pip install spconv-cu124 (or -cu120, -cu126; spconv for a CPU), or use backend='torch'"
        ) from error
    let_spconv_run_without_cuda()
    layers = {cls.__name__: getattr(spconv, cls.__name__) for cls in TORCH_LAYERS}
    return SimpleNamespace(SparseTensor=_spconv_tensor, **layers)


def _spconv_tensor(features, indices, spatial_shape, batch_size):
    import spconv.pytorch as spconv

    if not features.is_cuda and torch.get_num_threads() > 1:
        raise ValueError(
            f"spconv on CPU sums wrongly with several threads, got {torch.get_num_threads()}; "
            "use backend='torch' or call torch.set_num_threads(1)"
        )
    return spconv.SparseConvTensor(features, indices, spatial_shape, batch_size)


def _spconv_runs_on_gpu():
    if not torch.cuda.is_available():
        return False
    try:
        from spconv.cppconstants import CPU_ONLY_BUILD
    except ImportError:
        return False
    return not CPU_ONLY_BUILD


def let_spconv_run_without_cuda():
    """Make spconv's CPU code usable where there is no CUDA; does nothing where there is.

    The backward asks for the current CUDA stream even for CPU tensors, which raises without a
    driver. The value is not used on the CPU, so stream 0 does. In eval mode it leaves the addition
    of a bias to the kernel, which on the CPU cannot: here the bias is added to what it returns.
    """
    if not torch.cuda.is_available():
        import spconv.pytorch.ops as ops

        ops.get_current_stream = lambda: 0
        if not hasattr(ops.indice_conv, "__wrapped__"):
            ops.indice_conv = _bias_added_after(ops.indice_conv)


def _bias_added_after(indice_conv):
    @functools.wraps(indice_conv)
    def wrapper(*args, bias=None, **kwargs):
        result = indice_conv(*args, **kwargs)
        return result if bias is None else result + bias

    return wrapper


class SparseTensor:
    """features (N, C) at indices (N, 4) = (batch, x, y, z), unique and inside spatial_shape."""

    def __init__(self, features, indices, spatial_shape, batch_size, maps=None):
        self.features = features
        self.indices = indices
        self.spatial_shape = spatial_shape
        self.batch_size = batch_size
        self.maps = {} if maps is None else maps  # by indice_key, shared along a network

    def replace_feature(self, features):
        """The same voxels with other features (N, D)."""
        return SparseTensor(features, self.indices, self.spatial_shape, self.batch_size, self.maps)


class _SparseConv(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, indice_key, bias):
        super().__init__()
        if bias:
            raise ValueError(
                f"{type(self).__name__} in plain torch has no bias, got bias={bias}; "
                "use bias=False or backend='spconv'"
            )
        self.kernel_size = kernel_size
        self.indice_key = indice_key
        self.weight = nn.Parameter(torch.empty(out_channels, *[kernel_size] * 3, in_channels))
        nn.init.kaiming_uniform_(self.weight.view(out_channels, -1), a=5**0.5)

    def extra_repr(self):
        out_channels, *_, in_channels = self.weight.shape
        return f"{in_channels}, {out_channels}, kernel_size={self.kernel_size}"


class SubMConv3d(_SparseConv):
    """Stride 1, odd kernel, output at the input's voxels."""

    def __init__(self, in_channels, out_channels, kernel_size, bias=False, indice_key=None):
        if kernel_size % 2 == 0:
            raise ValueError(
                f"SubMConv3d got kernel_size {kernel_size}, expected an odd one; "
                f"take {kernel_size + 1}"
            )
        super().__init__(in_channels, out_channels, kernel_size, indice_key, bias)

    def forward(self, x):
        found = x.maps.get(self.indice_key)
        if found is None:
            found = submanifold_map(x.indices, x.spatial_shape, self.kernel_size)
            x.maps[self.indice_key] = found
        return x.replace_feature(pairwise_matmul(x.features, self.weight, found))


class SparseConv3d(_SparseConv):
    """Kernel = stride: each coarse voxel sees the voxels inside it."""

    def __init__(self, in_channels, out_channels, kernel_size, stride, bias=False, indice_key=None):
        if kernel_size != stride:
            raise ValueError(
                f"SparseConv3d in plain torch got kernel_size {kernel_size} and stride {stride}, "
                "expected equal ones; use backend='spconv' for others"
            )
        super().__init__(in_channels, out_channels, kernel_size, indice_key, bias)

    def forward(self, x):
        found, indices, shape = strided_map(x.indices, x.spatial_shape, self.kernel_size)
        # The inverse layer returns to these voxels. Keeping x itself would make a reference cycle.
        x.maps[self.indice_key] = found, x.indices, x.spatial_shape
        features = pairwise_matmul(x.features, self.weight, found)
        return SparseTensor(features, indices, shape, x.batch_size, x.maps)


class SparseInverseConv3d(_SparseConv):
    """Undoes the SparseConv3d of the same indice_key: output at that layer's input voxels."""

    def __init__(self, in_channels, out_channels, kernel_size, indice_key, bias=False):
        super().__init__(in_channels, out_channels, kernel_size, indice_key, bias)

    def forward(self, x):
        down, indices, shape = x.maps[self.indice_key]
        features = pairwise_matmul(x.features, self.weight, down.transposed())
        return SparseTensor(features, indices, shape, x.batch_size, x.maps)


TORCH_LAYERS = (SubMConv3d, SparseConv3d, SparseInverseConv3d)
