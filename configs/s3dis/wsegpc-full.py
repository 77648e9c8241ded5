# Full supervision of the 3D branch from point labels, else as wsegpc-cam: the upper reference.
_base_ = ["./wsegpc-cam.py"]

model = dict(cam_3d_weight=0.0, supervised_weight=1.0)
data = dict(train=dict(labels=True, structures=dict(_delete_=True)))
