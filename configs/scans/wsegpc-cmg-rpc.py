# CMG and region-point consistency on your own scans, from the weights of wsegpc-cmg: half as long.
_base_ = ["./wsegpc-cmg.py"]

import os
from glob import glob

from pointcept_wsegpc.checks.schedule import own_loop

scenes = len(glob(os.environ.get("WSEGPC_DATA_ROOT", "data/scans") + "/train/*/coord.npy"))

seed = 2463  # other samples than those of wsegpc-cmg
epoch = 25 * own_loop(scenes)
eval_epoch = 25
optimizer = dict(lr=0.05)

model = dict(
    guidance_warmup_iters=1,
    rpc_3d_weight=1.0,
    rpc_2d_weight=1.0,
    rpc_warmup_iters=800,
    rpc_threshold=0.8,
    rpc_adaptive=True,
)
del os, glob, own_loop, scenes
