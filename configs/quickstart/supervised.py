# Full supervision of the same networks from point labels, at quickstart size: the upper bound.
_base_ = ["./wsegpc-cam.py"]

epoch = 72  # as both parts of the others
model = dict(cam_3d_weight=0.0, supervised_weight=1.0)
data = dict(train=dict(with_labels=True, structure_removal=dict(_delete_=True)))
