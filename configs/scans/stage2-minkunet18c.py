# Stage two on your own scans: the Mink U-Net on their pseudo-labels, for scans without tags.
_base_ = ["../_base_/stage2.py"]

import os
from glob import glob

from pointcept_wsegpc.checks.schedule import own_loop
from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.transforms.stage2 import train_transforms

data_root = os.environ.get("WSEGPC_DATA_ROOT", "data/scans")
names = list(ClassTable.read(data_root).names)
scenes = len(glob(f"{data_root}/train/*/coord.npy"))

epoch = 50 * own_loop(scenes, batch=8)
evaluate = False  # your scans have no point labels

model = dict(backbone=dict(num_classes=len(names), classifier_init="uniform"))
data = dict(
    num_classes=len(names),
    names=names,
    train=dict(
        store="exp/wsegpc/scans/wsegpc-cmg-rpc/pseudo_labels",
        data_root=data_root,
        structure_removal=dict(_delete_=True),
        transform=train_transforms(0.04),
    ),
    # Labeled by wsegpc predict: --split val, test or train.
    val=dict(type="DefaultDataset", data_root=data_root),
    test=dict(type="DefaultDataset", data_root=data_root),
)
del os, glob, ClassTable, names, own_loop, scenes, train_transforms
