"""What had another name in an earlier version, {old: new}: old names are refused with the new one.

`wsegpc upgrade` reads these tables, too, and rewrites configs by them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

# Arguments of the data sets.
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
# Arguments of the model WSegPC; of its image encoder; of the backbone; of the exporter.
MODEL_KEYS = {
    "backbone_channels": "backbone_out_channels",
    "cam_weight": "cam_3d_weight",
    "image_cam_weight": "cam_2d_weight",
    "guidance_weight": ("guidance_3d_weight", "guidance_2d_weight"),
    "guidance_warmup": "guidance_warmup_iters",
    "temperature": "guidance_temperature",
    "num_pairs": "max_pairs",
    "pairs_per_view": "max_pairs_per_view",
    "min_visible": "min_pairs_per_view",
    "consistency_3d": "rpc_3d_weight",
    "consistency_2d": "rpc_2d_weight",
    "consistency_warmup": "rpc_warmup_iters",
    "threshold": "rpc_threshold",
    "adaptive": "rpc_adaptive",
    "inference": "network",
}
ENCODER_KEYS = {"stages": "num_stages"}
BACKBONE_KEYS = {"stem_kernel": "stem_kernel_size"}
HOOK_KEYS = {"every": "every_epochs"}
# Entries of a checkpoint, by the part of their names before the first dot.
STATE_KEYS = {"project_pixels": "project_images"}
# Registered hooks and models.
HOOKS = {
    "SceneTagHook": "WSegPCSceneTags",
    "EMATeacherHook": "WSegPCEMATeacher",
    "WeakSegEvaluator": "WSegPCEvaluator",
    "PseudoLabelExporter": "WSegPCPseudoLabelExporter",
    "ReproducibleSampling": "WSegPCReproducibleSampling",
}
MODELS = {"WSegPC-MinkUNet": "WSegPCMinkUNet"}
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
# Settings that the manifest of a prepared scene records.
SETTINGS = {"every": "stride", "poses": "pose_format"}
# Roles of structure removal, once kinds of structures.
ROLES = {"floor": "ground"}


def message(old: str, new: str | tuple[str, ...], what: str = "CONFIG") -> str:
    """One line that says the new name; a tuple means that each of them has the old one's value."""
    new = "` and `".join([new] if isinstance(new, str) else new)
    return f"`{old}` is now `{new}`; `wsegpc upgrade {what}` renames it"


def refuses_old(names: Mapping[str, str | tuple[str, ...]]) -> Callable[[type], type]:
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
