"""What had another name in an earlier version, {old: new}: old names are refused with the new one.

`wsegpc upgrade` reads these tables, too, and rewrites configs by them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

# Arguments of the data sets. None: gone, see the note.
DATASET_KEYS = {
    "teacher_view": "teacher_augmentation",
    "student_view": "student_augmentation",
    "color_view": "color_augmentation",
    "teacher_jitter": "teacher_image_jitter",
    "student_jitter": "student_image_jitter",
    "structures": "structure_removal",
    "mix3d": "mix3d_prob",
    "labels": "with_labels",
    "segment_key": "label_file of classes.json in the data root",
    "image_mean": "that of the image encoder",
    "image_std": "that of the image encoder",
}
# Keys of samples and batches.
BATCH_KEYS = {
    "tags": "point_tags",  # in training; scene_tags in evaluation
    "teacher_index": "teacher_row",
    "image_label": "image_segment",
}
# Registered data sets.
DATASETS = {
    "WSegPCScanNetDataset": "WSegPCMultiViewDataset",
    "WSegPCS3DISDataset": "WSegPCMultiViewDataset",
    "WSegPCS3DISPseudoLabelDataset": "WSegPCPseudoLabelDataset",
}
# Roles of structure removal, once kinds of structures.
ROLES = {"floor": "ground"}


def message(old: str, new: str) -> str:
    """One line that says the new name."""
    return f"`{old}` is now `{new}`; `wsegpc upgrade CONFIG` renames it"


def refuses_old(names: Mapping[str, str]) -> Callable[[type], type]:
    """Class decorator: an argument of an old name is a TypeError that says the new one."""

    def decorate(cls):
        init = cls.__init__

        @functools.wraps(init)
        def checked(self, *args, **kwargs):
            for old in names.keys() & kwargs.keys():
                raise TypeError(message(old, names[old]))
            init(self, *args, **kwargs)

        cls.__init__ = checked
        return cls

    return decorate


def refuse_types(registry, names: Mapping[str, str]) -> None:
    """Register old type names, so that building one says the new name in a TypeError."""
    for old, new in names.items():
        registry.register_module(old, module=_refused(message(old, new)))


def _refused(text):
    class Renamed:
        def __init__(self, *args, **kwargs):
            raise TypeError(text)

    return Renamed
