# Stage two on S3DIS with our Mink U-Net 18C, Area 5 held out: 50 epochs x loop 16.
_base_ = ["../_base_/stage2.py"]

from pointcept_wsegpc.contracts.classes import ClassTable

names = ClassTable.shipped("s3dis").names

batch_size = 4
epoch = 800

model = dict(backbone=dict(num_classes=len(names)))

data_root = "data/s3dis_wsegpc"
data = dict(
    num_classes=len(names),
    names=list(names),
    train=dict(
        type="WSegPCS3DISPseudoLabelDataset",
        store="exp/wsegpc/s3dis/wsegpc-cmg-rpc/pseudo_labels",
        split=("Area_1", "Area_2", "Area_3", "Area_4", "Area_6"),
        data_root=data_root,
        transform=[
            dict(type="CenterShift", apply_z=True),
            dict(type="RandomFlip", p=0.5),
            dict(type="RandomRotate", angle=[-1, 1], axis="z", center=[0, 0, 0], p=0.5),
            dict(type="RandomScale", scale=[0.8, 1.2]),
            dict(type="RandomJitter", sigma=0.005, clip=0.02),
            dict(type="GridSample", grid_size=0.04, mode="train", return_grid_coord=True),
            dict(type="SphereCrop", point_max=200000, mode="random"),
            dict(type="ChromaticAutoContrast", p=0.2),
            dict(type="ChromaticTranslation", p=0.95, ratio=0.1),
            dict(type="ChromaticJitter", p=0.95, std=0.05),
            dict(type="WSegPCHueSaturation", hue_max=0.5, saturation_max=0.2),
            dict(type="WSegPCScaleColor"),
            dict(type="ToTensor"),
            dict(
                type="Collect",
                keys=("coord", "grid_coord", "segment"),
                feat_keys=("color", "normal"),
            ),
        ],
    ),
    val=dict(type="S3DISDataset", split="Area_5", data_root=data_root),
    test=dict(type="S3DISDataset", split="Area_5", data_root=data_root),
)
del ClassTable, names
