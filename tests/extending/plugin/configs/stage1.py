# Stage one on the toy data set, with the encoder, backbone and guidance of the plugin.
_base_ = ["../wsegpc/_base_/stage1.py"]

from toy_plugin.capture import NAMES

custom_imports = dict(
    imports=["pointcept_wsegpc.register", "toy_plugin", "toy_plugin.encoder", "toy_plugin.backbone"]
)
batch_size = 2
num_worker = 0
sync_bn = False
epoch = 3
eval_epoch = 3

model = dict(
    num_classes=len(NAMES),
    backbone=dict(_delete_=True, type="ToyPointNet", in_channels=6, out_channels=32),
    image_encoder=dict(name="toy_resnet", weights="none"),
    guidance_3d="cosine",
    guidance_2d="cosine",
    min_pairs_per_view=1,
    label_source="blend",
)
scenes = dict(
    data_root="data/toy",
    num_views=2,
    grid_size=0.15,
    depth_tolerance=0.1,
    feat_keys=("coord", "normal"),
)
data = dict(
    num_classes=len(NAMES),
    names=list(NAMES),
    train=dict(color_augmentation=[], stored_labels="exp/prior", **scenes),
    val=dict(**scenes),
)
del NAMES, scenes
