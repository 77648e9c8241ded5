# Stage two with Pointcept's OctFormer, under Pointcept's own recipe: only the training labels are
# ours, and the projection of the displacements, at which Pointcept's GridSample fails (issue 466).
_base_ = ["../_base_/plugin.py", "../../scannet/semseg-octformer-v1m1-0-base.py"]

enable_wandb = False
root = "data/scannet_wsegpc"
labels = "exp/wsegpc/scannet/wsegpc-cmg-rpc/pseudo_labels"
voxels = dict(
    type="GridSample",
    grid_size=0.01,
    hash_type="fnv",
    mode="train",
    return_min_coord=True,
    return_displacement=True,
)
features = ("coord", "color", "normal", "displacement")
data = dict(
    train=dict(
        type="WSegPCPseudoLabelDataset",
        store=labels,
        data_root=root,
        transform=[
            dict(type="CenterShift", apply_z=True),
            dict(type="RandomDropout", dropout_ratio=0.2, dropout_application_ratio=0.2),
            dict(type="RandomRotate", angle=[-1, 1], axis="z", center=[0, 0, 0], p=0.5),
            dict(type="RandomRotate", angle=[-1 / 64, 1 / 64], axis="x", p=0.5),
            dict(type="RandomRotate", angle=[-1 / 64, 1 / 64], axis="y", p=0.5),
            dict(type="RandomScale", scale=[0.9, 1.1]),
            dict(type="RandomFlip", p=0.5),
            dict(type="RandomJitter", sigma=0.005, clip=0.02),
            dict(type="ElasticDistortion", distortion_params=[[0.2, 0.4], [0.8, 1.6]]),
            dict(type="ChromaticAutoContrast", p=0.2, blend_factor=None),
            dict(type="ChromaticTranslation", p=0.95, ratio=0.1),
            dict(type="ChromaticJitter", p=0.95, std=0.05),
            voxels,
            dict(type="WSegPCProjectDisplacement"),
            dict(type="SphereCrop", sample_rate=0.8, mode="random"),
            dict(type="SphereCrop", point_max=120000, mode="random"),
            dict(type="CenterShift", apply_z=False),
            dict(type="NormalizeColor"),
            dict(type="ShufflePoint"),
            dict(type="ToTensor"),
            dict(type="Collect", keys=("coord", "normal", "segment"), feat_keys=features),
        ],
    ),
    val=dict(
        data_root=root,
        transform=[
            dict(type="CenterShift", apply_z=True),
            dict(type="Copy", keys_dict={"segment": "origin_segment"}),
            dict(return_inverse=True, **voxels),
            dict(type="WSegPCProjectDisplacement"),
            dict(type="CenterShift", apply_z=False),
            dict(type="NormalizeColor"),
            dict(type="ToTensor"),
            dict(
                type="Collect",
                keys=("coord", "normal", "segment", "origin_segment", "inverse"),
                feat_keys=features,
            ),
        ],
    ),
    test=dict(data_root=root),
)
del voxels, features
