# Full supervision: the same networks, data and schedule as wsegpc-cam, but the 3D branch learns from
# the point labels of the training scenes in place of their tags. The upper bound.
_base_ = ["./wsegpc-cam.py"]

model = dict(cam_3d_weight=0.0, supervised_weight=1.0)
data = dict(
    # Structure removal makes scenes without a floor, for tags; labels do not need them.
    train=dict(with_labels=True, structure_removal=dict(_delete_=True)),
)
