# Stage two on ScanNet-format scenes, with the paper's settings; children name the network.
_base_ = ["./plugin.py", "./runtime.py", "./scannet_classes.py"]

from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.transforms.stage2 import (
    COLOR,
    FEATURES,
    TEACHER,
    train_transforms,
    val_transforms,
)

num_classes = len(ClassTable.shipped("scannet20"))

batch_size = 8
epoch = 200
eval_epoch = 50
sync_bn = True

optimizer = dict(type="SGD", lr=0.1, momentum=0.9, weight_decay=0.0001)
scheduler = dict(type="PolyLR", power=0.9)

model = dict(
    type="DefaultSegmentor",
    backbone=dict(
        type="WSegPCMinkUNet",
        arch="18C",
        in_channels=6,
        num_classes=num_classes,
        classifier_init="kaiming",
    ),
    criteria=[dict(type="CrossEntropyLoss", loss_weight=1.0, ignore_index=-1)],
)

data_root = "data/scannet_wsegpc"
grid_size = 0.04
data = dict(
    train=dict(
        type="WSegPCPseudoLabelDataset",
        dataset="ScanNetDataset",
        store="exp/wsegpc/scannet/wsegpc-cmg-rpc/pseudo_labels",
        split="train",
        data_root=data_root,
        structure_removal=dict(ground=0.5, wall=0.5),
        # The teacher's augmentation of stage one and then this stage's, the color twice.
        transform=train_transforms(grid_size, [*COLOR, *COLOR], first=TEACHER),
    ),
    val=dict(
        type="ScanNetDataset",
        split="val",
        data_root=data_root,
        transform=val_transforms(grid_size),
    ),
    test=dict(
        type="ScanNetDataset",
        split="val",
        data_root=data_root,
        transform=[dict(type="CenterShift", apply_z=True), dict(type="WSegPCScaleColor")],
        test_mode=True,
        test_cfg=dict(
            voxelize=dict(
                type="GridSample", grid_size=grid_size, mode="test", return_grid_coord=True
            ),
            crop=None,
            post_transform=[
                dict(type="CenterShift", apply_z=False),
                dict(type="ToTensor"),
                dict(
                    type="Collect",
                    keys=("coord", "grid_coord", "index"),
                    feat_keys=FEATURES,
                ),
            ],
            aug_transform=[
                [
                    dict(
                        type="RandomRotateTargetAngle",
                        angle=[angle],
                        axis="z",
                        center=[0, 0, 0],
                        p=1,
                    )
                ]
                for angle in (0, 1 / 2, 1, 3 / 2)
            ],
        ),
    ),
)
del ClassTable, num_classes, train_transforms, val_transforms, COLOR, FEATURES, TEACHER

hooks = [
    dict(type="WSegPCGuard"),
    dict(type="CheckpointLoader"),
    dict(type="WSegPCReproducibleSampling"),
    dict(type="IterationTimer", warmup_iter=2),
    dict(type="InformationWriter"),
    dict(type="SemSegEvaluator"),
    dict(type="CheckpointSaver", save_freq=None),
]
