# Stage two on SynthRooms small, with the network and voxels of stage one: 100 passes are 1600
# iterations.
_base_ = ["../synthetic/stage2-minkunet.py"]

epoch = 100
eval_epoch = 5

model = dict(backbone=dict(stem_kernel_size=3))

data_root = "data/synthrooms_small"
voxels = dict(type="GridSample", grid_size=0.15, mode="train", return_grid_coord=True)
data = dict(
    train=dict(
        data_root=data_root,
        store="exp/wsegpc/synthrooms/wsegpc-cmg-rpc/pseudo_labels",
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
    test=dict(data_root=data_root, test_cfg=dict(voxelize=dict(grid_size=0.15))),
)
del voxels
