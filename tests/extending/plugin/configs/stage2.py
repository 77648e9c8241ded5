# Stage two on the pseudo-labels of the toy data set.
_base_ = ["../wsegpc/_base_/stage2.py"]

from pointcept_wsegpc.transforms.stage2 import train_transforms, val_transforms
from toy_plugin.capture import NAMES

custom_imports = dict(imports=["pointcept_wsegpc.register", "toy_plugin.backbone"])
batch_size = 2
num_worker = 0
sync_bn = False
epoch = 3
eval_epoch = 3

backbone = dict(_delete_=True, type="ToyPointNet", in_channels=6, out_channels=len(NAMES))
model = dict(backbone=backbone)
features = ("coord", "normal")
data = dict(
    num_classes=len(NAMES),
    names=list(NAMES),
    train=dict(
        dataset="DefaultDataset",
        data_root="data/toy",
        store="exp/stage1/pseudo_labels",
        transform=train_transforms(0.15, color=(), features=features),
    ),
    val=dict(
        type="WSegPCSceneDataset",
        data_root="data/toy",
        transform=val_transforms(0.15, features=features),
    ),
)
del NAMES, backbone, features, train_transforms, val_transforms
