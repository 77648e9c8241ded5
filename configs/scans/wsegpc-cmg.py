# CMG on your own scans, as wsegpc prepare scans prepares them: the first part of stage one. Class
# names come from the data root, which is data/scans unless WSEGPC_DATA_ROOT names another.
_base_ = ["../scannet/wsegpc-cmg.py"]

import os
from glob import glob

from pointcept_wsegpc.checks.schedule import own_loop
from pointcept_wsegpc.contracts.classes import ClassTable

data_root = os.environ.get("WSEGPC_DATA_ROOT", "data/scans")
names = list(ClassTable.read(data_root).names)
scenes = len(glob(f"{data_root}/train/*/coord.npy"))

epoch = 50 * own_loop(scenes)  # about 8000 iterations, however many scenes there are
evaluate = False  # your scans have no point labels

model = dict(
    num_classes=len(names),
    point_head_init="uniform",
    cam_warmup_iters=1,
    guidance_warmup_iters=800,
)
data = dict(
    num_classes=len(names),
    names=names,
    train=dict(
        data_root=data_root,
        grid_shift=0,
        structure_removal=dict(ceiling=0.5),  # besides ground and wall, where classes have the role
    ),
    val=dict(data_root=data_root),
)
del os, glob, ClassTable, names, own_loop, scenes
