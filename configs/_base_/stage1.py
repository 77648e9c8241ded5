# Stage one on ScanNet-format scenes, with the paper's settings: data, networks, hooks.
_base_ = ["./plugin.py", "./runtime.py", "./scannet_classes.py"]

from pointcept_wsegpc.contracts.classes import ClassTable

num_classes = len(ClassTable.shipped("scannet20"))

sync_bn = True

optimizer = dict(type="SGD", lr=0.1, momentum=0.9, weight_decay=0.0001)
scheduler = dict(type="PolyLR", power=0.9)

model = dict(
    type="WSegPC",
    num_classes=num_classes,
    backbone=dict(type="WSegPCMinkUNet", arch="18A", in_channels=6),
    image_encoder=dict(name="resnet50.tv_in1k", weights="imagenet"),
    point_head_init="kaiming",
    cam_warmup_iters=2400,  # the first part of stage one; the second sets 1
)

scenes = dict(
    type="WSegPCMultiViewDataset",
    data_root="data/scannet_wsegpc",
    num_views=6,
    grid_size=0.04,
    depth_tolerance=0.04,
    link_visibility="depth",
    feat_keys=("color", "normal"),  # in_channels of the backbone is their width
)
data = dict(
    train=dict(
        split="train",
        mode="train",
        grid_shift=100,
        teacher_augmentation=[
            dict(type="RandomFlip", p=0.5),
            dict(type="RandomRotate", angle=[-1 / 36, 1 / 36], axis="z", center=[0, 0, 0], p=0.5),
        ],
        student_augmentation=[
            dict(type="RandomFlip", p=0.5),
            dict(type="RandomRotate", angle=[-1 / 6, 1 / 6], axis="z", center=[0, 0, 0], p=0.5),
            dict(type="RandomScale", scale=[0.8, 1.2]),
            dict(type="RandomJitter", sigma=0.005, clip=0.02),
        ],
        color_augmentation=[
            dict(type="ChromaticAutoContrast", p=0.2),
            dict(type="ChromaticTranslation", p=0.95, ratio=0.1),
            dict(type="ChromaticJitter", p=0.95, std=0.05),
            dict(type="WSegPCHueSaturation", hue_max=0.5, saturation_max=0.2),
        ],
        teacher_image_jitter=(0.15, 0.15, 0.15, 0.05),
        student_image_jitter=(0.3, 0.3, 0.3, 0.1),
        structure_removal=dict(ground=0.5, wall=0.5),
        mix3d_prob=0.0,
        **scenes,
    ),
    val=dict(split="val", mode="eval", **scenes),
)
del ClassTable, num_classes, scenes

hooks = [
    dict(type="WSegPCGuard"),
    dict(type="CheckpointLoader"),
    dict(type="WSegPCReproducibleSampling"),
    dict(type="WSegPCSceneTags"),
    dict(type="WSegPCEMATeacher", decay=0.999),
    dict(type="IterationTimer", warmup_iter=2),
    dict(type="InformationWriter"),
    dict(type="WSegPCEvaluator"),
    dict(type="CheckpointSaver", save_freq=None),
    dict(type="WSegPCPseudoLabelExporter"),
]
