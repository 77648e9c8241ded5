# CMG and RPC with Pointcept's SpUNet as the 3D network, from the weights of wsegpc-cmg-spunet.
_base_ = ["./wsegpc-cmg-rpc.py"]

model = dict(
    # num_classes=0: features, no head.
    backbone=dict(_delete_=True, type="SpUNet-v1m1", in_channels=6, num_classes=0),
    backbone_out_channels=96,
)
