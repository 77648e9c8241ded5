# Stage two on S3DIS with our Mink U-Net 18C, Area 5 held out: 50 epochs x loop 16. The folds that
# hold out another area (…-area1.py and so on) take what differs from `folds`.
_base_ = ["../_base_/stage2.py"]

from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.transforms.stage2 import COLOR, TEACHER, train_transforms

names = ClassTable.shipped("s3dis").names

batch_size = 4
epoch = 800

model = dict(backbone=dict(num_classes=len(names)))

data_root = "data/s3dis_wsegpc"
areas = [f"Area_{number}" for number in range(1, 7)]
folds = {
    held_out: dict(
        train=dict(
            split=tuple(area for area in areas if area != held_out),
            store=f"exp/wsegpc/s3dis/wsegpc-cmg-rpc-area{held_out[-1]}/pseudo_labels",
        ),
        val=dict(split=held_out),
        test=dict(split=held_out),
    )
    for held_out in areas
}
data = dict(
    num_classes=len(names),
    names=list(names),
    train=dict(
        dataset="S3DISDataset",
        split=folds["Area_5"]["train"]["split"],
        store="exp/wsegpc/s3dis/wsegpc-cmg-rpc/pseudo_labels",
        data_root=data_root,
        structure_removal=dict(ceiling=0.5),  # besides ground and wall
        transform=train_transforms(
            0.04,
            [*COLOR, *COLOR],
            crop=[dict(type="SphereCrop", point_max=200000, mode="random")],
            first=TEACHER,
        ),
    ),
    val=dict(type="S3DISDataset", split="Area_5", data_root=data_root),
    test=dict(type="S3DISDataset", split="Area_5", data_root=data_root),
)
del ClassTable, COLOR, TEACHER, train_transforms, areas, names
