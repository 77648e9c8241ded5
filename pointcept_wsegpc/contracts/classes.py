"""Class tables of the supported data sets, and the label that means "no label"."""

from pathlib import Path

import numpy as np

NO_LABEL = (255, -100)  # what others write where there is no label

IGNORE = -1  # on points; Pointcept's ignore_index
IGNORE_PIXEL = 65535  # the same in 16-bit label and region images
CLASSES_FILE = "classes.txt"  # of a data set whose classes are the user's own

# Order, spelling and NYU40 ids of the ScanNet v2 benchmark, as in Pointcept's configs.
SCANNET20 = {
    "wall": 1,
    "floor": 2,
    "cabinet": 3,
    "bed": 4,
    "chair": 5,
    "sofa": 6,
    "table": 7,
    "door": 8,
    "window": 9,
    "bookshelf": 10,
    "picture": 11,
    "counter": 12,
    "desk": 14,
    "curtain": 16,
    "refridgerator": 24,
    "shower curtain": 28,
    "toilet": 33,
    "sink": 34,
    "bathtub": 36,
    "otherfurniture": 39,
}
SCANNET20_NAMES = tuple(SCANNET20)

# Order and spelling of S3DIS's 13 classes, as in Pointcept's configs.
S3DIS_NAMES = (
    "ceiling",
    "floor",
    "wall",
    "beam",
    "column",
    "window",
    "door",
    "table",
    "chair",
    "sofa",
    "bookcase",
    "board",
    "clutter",
)

# Files of point labels that a scene may have, NAME.npy, and what they number.
LABEL_TABLES = {"segment20": SCANNET20_NAMES, "segment": S3DIS_NAMES}


def nyu40_to_scannet20(nyu40: np.ndarray) -> np.ndarray:
    """Map NYU40 ids of any shape to 0..19; every other id (0, 13, stray 50 or 149) to IGNORE.

    Returns int16 of the same shape.
    """
    nyu40 = np.asarray(nyu40)
    table = np.full(256, IGNORE, dtype=np.int16)
    table[list(SCANNET20.values())] = np.arange(len(SCANNET20))
    known = (nyu40 >= 0) & (nyu40 < len(table))
    return np.where(known, table[np.where(known, nyu40, 0)], IGNORE).astype(np.int16)


def read_class_names(path):
    """Class names of a text file, one a line; lines that begin with `#` do not count."""
    path = Path(path).expanduser().resolve()
    if not path.is_file():
        raise FileNotFoundError(
            f"class names {path} are missing, one a line; tools/prepare_folder.py writes them"
        )
    lines = (line.strip() for line in path.read_text("utf-8-sig").splitlines())
    names = [line for line in lines if line and not line.startswith("#")]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"{path}: expected class names, one a line, none twice; got {names}")
    return names


def clean_labels(label, num_classes, path):
    """Labels int64 with IGNORE where there is none; ValueError outside the class table."""
    label = np.where(np.isin(label, NO_LABEL), IGNORE, label).astype(np.int64)
    if label.min(initial=IGNORE) < IGNORE or label.max(initial=IGNORE) >= num_classes:
        raise ValueError(
            f"{path}: labels are {label.min()} to {label.max()}; expected 0 to {num_classes - 1}, "
            "and 255 for none: is this another data set?"
        )
    return label
