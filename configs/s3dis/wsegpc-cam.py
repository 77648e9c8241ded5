# S3DIS, Area 5 held out. Class activation from tags alone: the baseline. 50 epochs x loop 16. The
# folds that hold out another area (…-area1.py and so on) take what differs from `folds`.
_base_ = ["../scannet/wsegpc-cam.py"]

from pointcept_wsegpc.contracts.classes import ClassTable

names = ClassTable.shipped("s3dis").names

epoch = 800

model = dict(num_classes=len(names))

areas = [f"Area_{number}" for number in range(1, 7)]
folds = {
    held_out: dict(
        train=dict(split=tuple(area for area in areas if area != held_out)),
        val=dict(split=held_out),
    )
    for held_out in areas
}
scenes = dict(data_root="data/s3dis_wsegpc", depth_tolerance=0.05)
data = dict(
    num_classes=len(names),
    names=list(names),
    train=dict(
        structure_removal=dict(ceiling=0.5),  # besides ground and wall
        max_voxels=200000,
        **folds["Area_5"]["train"],
        **scenes,
    ),
    val=dict(**folds["Area_5"]["val"], **scenes),
)
del ClassTable, areas, names, scenes
