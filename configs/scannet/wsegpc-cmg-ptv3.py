# CMG with Pointcept's PTv3 as the 3D network.
_base_ = ["./wsegpc-cmg.py"]

model = dict(
    backbone=dict(
        _delete_=True,
        type="PT-v3m1",
        in_channels=6,
        order=("z", "z-trans", "hilbert", "hilbert-trans"),
        enc_patch_size=(1024, 1024, 1024, 1024, 1024),
        dec_patch_size=(1024, 1024, 1024, 1024),
    ),
    backbone_out_channels=64,
)

# SGD does not suit a transformer. These rates are a choice of ours that nobody has tuned.
optimizer = dict(_delete_=True, type="AdamW", lr=0.002, weight_decay=0.05)
