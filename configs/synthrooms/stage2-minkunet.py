# Stage two on SynthRooms small, with the network and voxels of stage one: 100 passes are 1600
# iterations.
_base_ = ["../quickstart/stage2-minkunet.py"]

from pointcept_wsegpc.transforms.stage2 import train_transforms, val_transforms

epoch = 100
eval_epoch = 5

model = dict(backbone=dict(stem_kernel_size=3))

data_root = "data/synthrooms_small"
color = [
    dict(type="ChromaticJitter", p=0.95, std=0.05),
    dict(type="WSegPCHueSaturation", hue_max=0.1, saturation_max=0.2),
]
data = dict(
    train=dict(
        data_root=data_root,
        store="exp/wsegpc/synthrooms/wsegpc-cmg-rpc/pseudo_labels",
        transform=train_transforms(0.15, color),
    ),
    val=dict(data_root=data_root, transform=val_transforms(0.15)),
    test=dict(data_root=data_root, test_cfg=dict(voxelize=dict(grid_size=0.15))),
)
del color, train_transforms, val_transforms
