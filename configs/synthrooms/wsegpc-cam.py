# SynthRooms small: 64 rooms make 16 iterations of 4, so 150 passes are 2400 iterations.
# Class activation from tags alone: the baseline.
_base_ = ["../quickstart/wsegpc-cam.py"]

epoch = 150
eval_epoch = 5

# The classifiers learn faster: their scores are means over a room, and small things count little.
param_dicts = [dict(keyword="_head", lr=0.03)]

data_root = "data/synthrooms_small"
data = dict(train=dict(data_root=data_root), val=dict(data_root=data_root))
