# stage2-minkunet18c with Area 6 held out in place of Area 5, for the six-fold result.
_base_ = ["./stage2-minkunet18c.py"]

data = dict(
    train=dict(
        split=("Area_1", "Area_2", "Area_3", "Area_4", "Area_5"),
        store="exp/wsegpc/s3dis/wsegpc-cmg-rpc-area6/pseudo_labels",
    ),
    val=dict(split="Area_6"),
    test=dict(split="Area_6"),
)
