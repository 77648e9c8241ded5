"""S3DIS for stage one: the multi-view rooms with its 13 classes, one split per area."""

from pointcept.datasets.builder import DATASETS

from .multiview import MultiViewDataset


@DATASETS.register_module("WSegPCS3DISDataset")
class S3DISMultiViewDataset(MultiViewDataset):
    """Rooms prepared by tools/prepare_s3dis.py. Rooms may be large: mind `max_voxels`."""

    def __init__(self, depth_tolerance=0.05, **settings):
        super().__init__(depth_tolerance=depth_tolerance, **settings)
