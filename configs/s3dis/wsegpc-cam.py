# S3DIS, Area 5 held out. Class activation from tags alone: the lower reference. 50 epochs x loop 16.
_base_ = ["../scannet/wsegpc-cam.py"]

from pointcept_wsegpc.contracts.classes import ClassTable

names = ClassTable.shipped("s3dis").names

epoch = 800

model = dict(num_classes=len(names))

scenes = dict(type="WSegPCS3DISDataset", data_root="data/s3dis_wsegpc", depth_tolerance=0.05)
data = dict(
    num_classes=len(names),
    names=list(names),
    train=dict(
        split=("Area_1", "Area_2", "Area_3", "Area_4", "Area_6"),
        structures=dict(ceiling=("ceiling", 0.5)),  # besides floor and wall
        max_voxels=200000,
        **scenes,
    ),
    val=dict(split="Area_5", **scenes),
)
del ClassTable, names, scenes
