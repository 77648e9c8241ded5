# wsegpc-cmg-rpc with Area 1 held out in place of Area 5, for the six-fold result.
_base_ = ["./wsegpc-cmg-rpc.py"]
data = {{_base_.folds.Area_1}}
