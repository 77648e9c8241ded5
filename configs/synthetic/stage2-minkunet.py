# Stage two with a slim Mink U-Net, at quickstart size.
_base_ = ["../_base_/stage2.py"]

batch_size = 4
num_worker = 1
epoch = 60
eval_epoch = 3
sync_bn = False

optimizer = dict(_delete_=True, type="AdamW", lr=0.003, weight_decay=0.01)
model = dict(
    backbone=dict(planes=(24, 32, 48, 64, 64, 48, 32, 32), layers=(1, 1, 1, 1, 1, 1, 1, 1))
)

data_root = "data/synthetic"
voxels = dict(type="GridSample", grid_size=0.1, mode="train", return_grid_coord=True)
data = dict(
    train=dict(
        data_root=data_root,
        store="exp/wsegpc/synthetic/wsegpc-cmg-rpc/pseudo_labels",
        transform=[
            dict(type="CenterShift", apply_z=True),
            dict(type="RandomFlip", p=0.5),
            dict(type="RandomRotate", angle=[-1, 1], axis="z", center=[0, 0, 0], p=0.5),
            dict(type="RandomScale", scale=[0.8, 1.2]),
            dict(type="RandomJitter", sigma=0.005, clip=0.02),
            voxels,
            dict(type="ChromaticJitter", p=0.95, std=0.05),
            dict(type="WSegPCHueSaturation", hue_max=0.1, saturation_max=0.2),
            dict(type="WSegPCScaleColor"),
            dict(type="ToTensor"),
            dict(
                type="Collect",
                keys=("coord", "grid_coord", "segment"),
                feat_keys=("color", "normal"),
            ),
        ],
    ),
    val=dict(
        data_root=data_root,
        transform=[
            dict(type="CenterShift", apply_z=True),
            dict(type="Copy", keys_dict={"segment": "origin_segment"}),
            dict(return_inverse=True, **voxels),
            dict(type="WSegPCScaleColor"),
            dict(type="ToTensor"),
            dict(
                type="Collect",
                keys=("coord", "grid_coord", "segment", "origin_segment", "inverse"),
                feat_keys=("color", "normal"),
            ),
        ],
    ),
    test=dict(data_root=data_root, test_cfg=dict(voxelize=dict(grid_size=0.1))),
)
del voxels
