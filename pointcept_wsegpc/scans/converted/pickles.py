"""Pickled arrays of other people's data sets, opened without running what a pickle may hold.

A pickle is a program. Here it may build containers, numbers, strings, tensors and the numpy types
below, and nothing else; any other name in it, and the file is refused.
"""

import codecs
import pickle
import re
from pathlib import Path

import numpy as np

NUMBERS = "?bBhHiIlLqQefd"  # type codes: bool, integers and floats


def allowed_globals():
    """The numpy types, with the names that old and new numpy pickle them under."""
    # The functions that numpy names in a pickle to rebuild an array or a scalar.
    rebuild_array = np.empty(0).__reduce__()[0]
    rebuild_scalar = np.float64(0).__reduce__()[0]
    allowed = [np.ndarray, np.dtype, codecs.encode]
    allowed += {type(np.dtype(code)) for code in NUMBERS}
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        allowed += [(rebuild_array, f"{module}._reconstruct"), (rebuild_scalar, f"{module}.scalar")]
    return [*allowed, (codecs.encode, "_codecs.encode")]


def read_pickled(path):
    """What a file written by torch.save holds, if that is arrays, numbers and strings alone.

    Raises ValueError or OSError in one line; ImportError without torch 2.6 or newer.
    """
    import torch

    if not hasattr(torch.serialization, "safe_globals"):
        raise ImportError(
            f"torch {torch.__version__} cannot open {path} safely; convert with torch 2.6 or newer"
        )
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} is missing")
    try:
        with torch.serialization.safe_globals(allowed_globals()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        name = re.search(r"GLOBAL ([\w.]+)", str(error))
        detail = " ".join(str(error).rpartition("WeightsUnpickler error:")[2].split())
        reason = f"it asks for {name[1]}" if name else f"{detail:.80}"
        raise ValueError(
            f"{path}: refused, {reason}; only arrays, numbers and strings are read from a pickle"
        ) from error
    except (RuntimeError, EOFError, TypeError, AttributeError, KeyError, MemoryError) as error:
        raise ValueError(f"{path} cannot be read ({error!r:.100}); get it again") from error


def numeric_array(value, path, name):
    """A value of a pickle (array, tensor or list) as a numeric array; ValueError otherwise."""
    array = value.numpy() if hasattr(value, "numpy") else np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{path}: {name} holds {array.dtype}; expected numbers")
    return array
