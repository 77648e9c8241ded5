# CMG with Pointcept's SpUNet as the 3D network.
_base_ = ["./wsegpc-cmg.py"]

model = dict(
    # num_classes=0: features, no head.
    backbone=dict(_delete_=True, type="SpUNet-v1m1", in_channels=6, num_classes=0),
    backbone_out_channels=96,
)
