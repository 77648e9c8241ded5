# True labels of all points, with the network and schedule of wsegpc-cam: the upper reference.
_base_ = ["./wsegpc-cam.py"]

model = dict(cam_weight=0.0, supervised_weight=1.0)
data = dict(train=dict(labels=True))
