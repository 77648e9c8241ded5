# Full supervision of the same networks from point labels, as long as wsegpc-cam: the upper bound.
_base_ = ["./wsegpc-cam.py"]

model = dict(cam_3d_weight=0.0, supervised_weight=1.0)
data = dict(train=dict(with_labels=True, structure_removal=dict(_delete_=True)))
