# Stage two with a slim Mink U-Net, at quickstart size.
_base_ = ["../_base_/stage2.py"]

from pointcept_wsegpc.transforms.stage2 import train_transforms, val_transforms

batch_size = 4
num_worker = 1
epoch = 24
eval_epoch = 3
sync_bn = False

optimizer = dict(_delete_=True, type="AdamW", lr=0.003, weight_decay=0.01)
model = dict(
    backbone=dict(
        planes=(24, 32, 48, 64, 64, 48, 32, 32),
        layers=(1, 1, 1, 1, 1, 1, 1, 1),
        stem_kernel_size=3,
        classifier_init="uniform",
    )
)

data_root = "data/quickstart"
color = [
    dict(type="ChromaticJitter", p=0.95, std=0.05),
    dict(type="WSegPCHueSaturation", hue_max=0.1, saturation_max=0.2),
]
data = dict(
    train=dict(
        data_root=data_root,
        structure_removal=dict(_delete_=True),
        store="exp/wsegpc/quickstart/wsegpc-cmg-rpc/pseudo_labels",
        transform=train_transforms(0.15, color),
    ),
    val=dict(data_root=data_root, transform=val_transforms(0.15)),
    test=dict(data_root=data_root, test_cfg=dict(voxelize=dict(grid_size=0.15))),
)
del color, train_transforms, val_transforms
