# Quickstart size: slim networks without pre-training, coarse voxels, small views; for two CPU cores
# or one GPU (one loader worker, no synchronized batch norm). 64 rooms make 16 iterations of 4.
# Class activation from tags alone: first part of the baseline, as long as wsegpc-cmg.
_base_ = ["../scannet/wsegpc-cam.py"]

epoch = 36
eval_epoch = 4
num_worker = 1
sync_bn = False

optimizer = dict(_delete_=True, type="AdamW", lr=0.003, weight_decay=0.01)
# The classifiers learn faster: their scores are means over a room, and small things count little.
param_dicts = [dict(keyword="_head", lr=0.03)]
model = dict(
    backbone=dict(
        planes=(24, 32, 48, 64, 64, 48, 32, 32), layers=(1, 1, 1, 1, 1, 1, 1, 1), stem_kernel_size=3
    ),
    image_encoder=dict(name="resnet18", weights="none", num_stages=3),
    point_head_init="uniform",
    cam_warmup_iters=1,
)

scenes = dict(
    data_root="data/quickstart",
    num_views=3,
    grid_size=0.15,
    depth_tolerance=0.15,
)
data = dict(train=dict(grid_shift=0, **scenes), val=dict(**scenes))
del scenes

hooks = [
    dict(type="WSegPCGuard"),
    dict(type="CheckpointLoader"),
    dict(type="WSegPCReproducibleSampling"),
    dict(type="WSegPCSceneTags"),
    dict(type="WSegPCEMATeacher", decay=0.98),  # a few hundred steps: the teacher must keep up
    dict(type="IterationTimer", warmup_iter=2),
    dict(type="InformationWriter"),
    dict(type="WSegPCEvaluator"),
    dict(type="CheckpointSaver", save_freq=None),
    dict(type="WSegPCPseudoLabelExporter", num_worker=1),
]
