"""Pickled arrays of other people's data sets, opened without running what a pickle may hold.

A pickle is a program. Here it may build containers, numbers, strings, tensors and numeric arrays,
and nothing else; any other name in it, and the file is refused. numpy's own functions are not
called with what the pickle says, either: they trust the state of a type, and one that claims to
hold objects would turn the file's bytes into addresses. What stands in for them checks it.
"""

import codecs
import math
import pickle
import re

import numpy as np

from .arrays import NUMBERS, FileError, SizedFile, reading

ORDERS = "<>=|"


class PickledType:
    """Stands in for numpy.dtype: numbers alone, and of its state the byte order alone."""

    def __init__(self, code, *_):
        if not isinstance(code, str) or code[:1] not in {*NUMBERS, *ORDERS, "?"} or len(code) > 4:
            raise pickle.UnpicklingError(f"WeightsUnpickler error: an array of {code!r}")
        self.dtype = np.dtype(code)
        if self.dtype.kind not in NUMBERS:
            raise pickle.UnpicklingError(f"WeightsUnpickler error: an array of {code!r}")

    def __setstate__(self, state):
        if state[1] not in [*ORDERS] or any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("WeightsUnpickler error: a type with fields")
        self.dtype = self.dtype.newbyteorder(state[1])


class PickledArray(np.ndarray):
    """An array whose state in a pickle is checked before numpy takes it."""

    def __setstate__(self, state):
        _, shape, kind, columns_first, data = state
        sizes = isinstance(shape, tuple) and all(isinstance(n, int) and n >= 0 for n in shape)
        if not (sizes and isinstance(kind, PickledType) and isinstance(data, bytes)):
            raise pickle.UnpicklingError("WeightsUnpickler error: an array of other than numbers")
        if math.prod(shape) * kind.dtype.itemsize != len(data):
            raise pickle.UnpicklingError("WeightsUnpickler error: an array of another length")
        super().__setstate__((1, shape, kind.dtype, bool(columns_first), data))


def rebuild_array(*_):
    """Stands in for numpy's _reconstruct, whatever it is asked for; the state is what counts."""
    return np.ndarray.__new__(PickledArray, (0,), np.int8)


def rebuild_scalar(kind, data):
    """Stands in for numpy's scalar."""
    if not (isinstance(kind, PickledType) and isinstance(data, bytes)):
        raise pickle.UnpicklingError("WeightsUnpickler error: a number that is none")
    return np.frombuffer(data, kind.dtype, count=1)[0]


def allowed_globals():
    """What may be named in a pickle, under the names of old and new numpy, and what stands in."""
    allowed = [PickledType, PickledArray, (PickledType, "numpy.dtype")]
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        allowed += [(rebuild_array, f"{module}._reconstruct"), (rebuild_scalar, f"{module}.scalar")]
    return [*allowed, (PickledArray, "numpy.ndarray"), (codecs.encode, "_codecs.encode")]


def read_pickled(path):
    """What a file written by torch.save holds, if that is arrays, numbers and strings alone.

    Raises FileError; ImportError without torch 2.6 or newer.
    """
    import torch

    if not hasattr(torch.serialization, "safe_globals"):
        raise ImportError(
            f"torch {torch.__version__} cannot open {path} safely; convert with torch 2.6 or newer"
        )
    with reading(path, "arrays, numbers and strings, saved by torch"):
        try:
            with torch.serialization.safe_globals(allowed_globals()), SizedFile(path) as file:
                return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            name = re.search(r"GLOBAL ([\w.]+)", str(error))
            detail = str(error).rpartition("WeightsUnpickler error:")[2]
            detail = " ".join(detail.partition("Check the documentation")[0].split())
            reason = f"it asks for {name[1]}" if name else f"{detail:.80}"
            raise FileError(
                f"{path}: refused, {reason}; only arrays, numbers and strings are read from a "
                "pickle"
            ) from error


def numeric_array(value, path, name):
    """A value of a pickle (array, tensor or list) as a numeric array; ValueError otherwise."""
    with reading(path, f"numbers under {name}"):
        array = np.asarray(value.detach().numpy() if hasattr(value, "detach") else value)
    if array.dtype.kind not in NUMBERS:
        raise ValueError(f"{path}: {name} holds {array.dtype}; expected numbers")
    return array
