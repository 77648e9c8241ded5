# stage2-minkunet18c with Area 2 held out in place of Area 5, for the six-fold result.
_base_ = ["./stage2-minkunet18c.py"]

data = dict(
    train=dict(
        split=("Area_1", "Area_3", "Area_4", "Area_5", "Area_6"),
        store="exp/wsegpc/s3dis/wsegpc-cmg-rpc-area2/pseudo_labels",
    ),
    val=dict(split="Area_2"),
    test=dict(split="Area_2"),
)
