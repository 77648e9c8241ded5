# wsegpc-cmg with Area 1 held out in place of Area 5, for the six-fold result.
_base_ = ["./wsegpc-cmg.py"]

data = dict(
    train=dict(split=("Area_2", "Area_3", "Area_4", "Area_5", "Area_6")),
    val=dict(split="Area_1"),
)
