"""Transforms of one sample, a dictionary of named arrays.

Random ones draw from numpy's global generator, as Pointcept's do (which also use Python's): a data
set that wants repeatable samples seeds both before it calls them.
"""

from .arrays import Collect, Copy, GridSample, ShufflePoint, SphereCrop, ToTensor, Update
from .builder import TRANSFORMS, Compose, index_operator
from .color import ChromaticAutoContrast, ChromaticJitter, ChromaticTranslation, NormalizeColor
from .geometry import CenterShift, RandomFlip, RandomJitter, RandomRotate, RandomScale

__all__ = [
    "TRANSFORMS",
    "CenterShift",
    "ChromaticAutoContrast",
    "ChromaticJitter",
    "ChromaticTranslation",
    "Collect",
    "Compose",
    "Copy",
    "GridSample",
    "NormalizeColor",
    "RandomFlip",
    "RandomJitter",
    "RandomRotate",
    "RandomScale",
    "ShufflePoint",
    "SphereCrop",
    "ToTensor",
    "Update",
    "index_operator",
]
