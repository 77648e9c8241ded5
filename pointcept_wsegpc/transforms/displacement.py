"""Where points lie in their voxels, for Pointcept's transform lists.

Shapes: N points.
"""

import numpy as np
from pointcept.datasets.transform import TRANSFORMS


@TRANSFORMS.register_module("WSegPCProjectDisplacement")
class ProjectDisplacement:
    """Displacement (N, 3) from the voxel's centre -> (N, 1), its part along the normal.

    OctFormer's input. Pointcept's GridSample(project_displacement=True) means the same, but in its
    training mode multiplies all points' displacements with the kept points' normals, and raises
    wherever a voxel held two points (Pointcept's issue 466, v1.6.1 and v1.7.0).
    """

    def __call__(self, data_dict):
        data_dict["displacement"] = np.sum(
            data_dict["displacement"] * data_dict["normal"], axis=1, keepdims=True
        )
        return data_dict
