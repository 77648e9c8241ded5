# Stage two on SynthRooms small, with the slim Mink U-Net: 50 passes are 800 iterations.
_base_ = ["../synthetic/stage2-minkunet.py"]

epoch = 50
eval_epoch = 5

data_root = "data/synthrooms_small"
data = dict(
    train=dict(
        data_root=data_root, store="exp/wsegpc/synthrooms/wsegpc-cmg-rpc/pseudo_labels"
    ),
    val=dict(data_root=data_root),
    test=dict(data_root=data_root),
)
