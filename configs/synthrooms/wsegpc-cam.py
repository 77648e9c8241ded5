# SynthRooms small: 64 rooms make 16 iterations of 4, so 150 passes are 2400 iterations.
# Class activation from tags alone: the baseline.
_base_ = ["../quickstart/wsegpc-cam.py"]

epoch = 150
eval_epoch = 5

data_root = "data/synthrooms_small"
data = dict(train=dict(data_root=data_root), val=dict(data_root=data_root))
