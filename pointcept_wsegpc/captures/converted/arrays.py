"""Point arrays of other people's scenes, under our names, types and label values.

N points.
"""

import numpy as np

from ...clouds.ids import compact_ids
from ...contracts.classes import clean_labels
from ...files.arrays import read_ids, reading
from ...files.pickles import numeric_array, read_pickled
from ..scannet.raw import TABLE

# Keys of the official WSegPC (Point Transformer V2) dictionaries, and ours.
DICTIONARY_KEYS = {
    "coord": "coord",
    "color": "color",
    "normal": "normal",
    "semantic_gt20": TABLE.label_file,
    "semantic_gt200": "segment200",
    "instance_gt": "instance",
}
TYPES = {"coord": np.float32, "color": np.uint8, "normal": np.float32}  # others are labels


def read_dictionary(path):
    """Arrays of an official WSegPC `.pth`: {coord, color 0..255, normal, semantic_gt20, …}."""
    stored = read_pickled(path)
    if not isinstance(stored, dict) or not {"coord", "color"} <= set(stored):
        found = sorted(map(str, stored)) if isinstance(stored, dict) else type(stored).__name__
        raise ValueError(
            f"{path} holds {found}; expected a dictionary with coord, color, normal: tuples are of "
            "the format openscene"
        )
    arrays = {
        ours: numeric_array(stored[theirs], path, theirs)
        for theirs, ours in DICTIONARY_KEYS.items()
        if theirs in stored
    }
    with reading(path, "colors from 0 to 255"):
        color = arrays["color"]
        low, high = color.min(initial=0), color.max(initial=0)
        unit = color.dtype.kind == "f" and 0 < high <= 1
        if not (low >= 0 and high <= 255) or unit:
            raise ValueError(f"{path}: colors are {low:g} to {high:g}; expected 0 to 255")
    return checked(arrays, path)


def read_tuple(path):
    """Arrays of a BPNet or OpenScene `.pth`: (coord, color -1..1, label 0..19 or 255)."""
    stored = read_pickled(path)
    if not isinstance(stored, (tuple, list)) or len(stored) < 2:
        raise ValueError(
            f"{path} holds a {type(stored).__name__}; expected a tuple (coord, color, label): "
            "dictionaries are of the format wsegpc"
        )
    with reading(path, "a tuple (coord, color, label)"):
        arrays = {"coord": numeric_array(stored[0], path, "coord")}
        color = numeric_array(stored[1], path, "color")
        if color.shape != arrays["coord"].shape:  # 0 stands for no color
            color = np.zeros(arrays["coord"].shape)
        if not (color.min(initial=0) >= -1.001 and color.max(initial=0) <= 1.001):
            low, high = color.min(), color.max()
            raise ValueError(f"{path}: colors are {low:g} to {high:g}; expected -1 to 1")
        arrays["color"] = np.rint((color + 1) * 127.5)
        if len(stored) > 2:
            arrays[TABLE.label_file] = numeric_array(stored[2], path, "label")
    return checked(arrays, path)


def checked(arrays, path):
    """Arrays in the types of a prepared scene; ValueError for lengths or values that cannot be."""
    shapes = {key: array.shape for key, array in arrays.items()}
    for key, shape in shapes.items():
        allowed = ((3,),) if key in TYPES else ((), (1,))
        if not shape or shape[1:] not in allowed:
            expected = "(N, 3)" if key in TYPES else "(N,)"
            raise ValueError(f"{path}: {key} has the shape {shape}; expected {expected}")
    lengths = {key: shape[0] for key, shape in shapes.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{path}: arrays differ in length: {lengths}; get it again")
    result = {}
    for key, array in arrays.items():
        if key in TYPES:
            result[key] = np.ascontiguousarray(array, TYPES[key])
        elif not np.isfinite(array).all():
            raise ValueError(f"{path}: {key} holds NaN or infinite labels; expected integers")
        else:
            result[key] = np.rint(array).astype(np.int64).reshape(-1)
    if (key := TABLE.label_file) in result:
        result[key] = clean_labels(result[key], len(TABLE), path)
    return result


def read_superpoints(path, num_ids=None):
    """Region ids int32, -1 = none, of a superpoint `.npz` (key `a`, ids below 0 = none).

    Ids are renumbered from 0. num_ids: how many there must be.
    """
    ids = read_ids(path, "a")
    if num_ids is not None and len(ids) != num_ids:
        raise ValueError(f"{path} has {len(ids)} ids, expected {num_ids}; get it again")
    return compact_ids(ids)
