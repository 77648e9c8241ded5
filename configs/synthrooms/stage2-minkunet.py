# Stage two on SynthRooms small, with the network and voxels of stage one: 100 passes are 1600
# iterations.
_base_ = ["../quickstart/stage2-minkunet.py"]

epoch = 100
eval_epoch = 5

data_root = "data/synthrooms_small"
data = dict(
    train=dict(
        data_root=data_root, store="exp/wsegpc/synthrooms/wsegpc-cmg-rpc/pseudo_labels"
    ),
    val=dict(data_root=data_root),
    test=dict(data_root=data_root),
)
