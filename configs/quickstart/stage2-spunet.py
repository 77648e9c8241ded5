# Stage two with a slim SpUNet of Pointcept: needs Pointcept and spconv, not the stand-in.
_base_ = ["./stage2-minkunet.py"]

model = dict(
    backbone=dict(
        _delete_=True,
        type="SpUNet-v1m1",
        in_channels=6,
        num_classes=20,
        channels=(24, 32, 48, 64, 64, 48, 32, 32),
        layers=(1, 1, 1, 1, 1, 1, 1, 1),
    )
)
