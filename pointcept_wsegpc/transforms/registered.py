"""Point colors, for Pointcept's transform lists: their scale, and hue and saturation.

Shapes: N points, RGB in 0..255.
"""

import numpy as np
from pointcept.datasets.transform import TRANSFORMS

from .images import jitter_matrix


@TRANSFORMS.register_module("WSegPCScaleColor")
class ScaleColor:
    """Color 0..255 to -1..1, as stage one's networks see it (Pointcept's NormalizeColor: 0..1)."""

    def __call__(self, data_dict):
        if "color" in data_dict:
            data_dict["color"] = np.asarray(data_dict["color"], np.float32) / 127.5 - 1
        return data_dict


@TRANSFORMS.register_module("WSegPCHueSaturation")
class HueSaturation:
    """Turn the hue by up to +-hue_max turns, scale the saturation by 1 +- saturation_max.

    What Pointcept's HueSaturationTranslation does through HSV, done as a rotation in YIQ: the same
    range of hues, luma kept, some twenty times faster on a cloud.
    """

    def __init__(self, hue_max=0.5, saturation_max=0.2):
        self.hue_max = hue_max
        self.saturation_max = saturation_max

    def __call__(self, data_dict):
        if "color" in data_dict:
            hue = np.random.uniform(-self.hue_max, self.hue_max)
            saturation = 1 + np.random.uniform(-self.saturation_max, self.saturation_max)
            matrix, _ = jitter_matrix(np.zeros(3), 1, 1, saturation, hue)
            color = data_dict["color"] @ matrix.T.astype(np.float32)
            data_dict["color"] = np.clip(color, 0, 255)
        return data_dict


@TRANSFORMS.register_module("WSegPCProjectDisplacement")
class ProjectDisplacement:
    """Displacement (N, 3) from the voxel's center -> (N, 1), its part along the normal.

    OctFormer's input. Pointcept's GridSample(project_displacement=True) means the same, but in its
    training mode multiplies all points' displacements with the kept points' normals, and raises
    wherever a voxel held two points (Pointcept's issue 466, v1.6.1 and v1.7.0).
    """

    def __call__(self, data_dict):
        data_dict["displacement"] = np.sum(
            data_dict["displacement"] * data_dict["normal"], axis=1, keepdims=True
        )
        return data_dict
