# wsegpc-cmg with Area 2 held out in place of Area 5, for the six-fold result.
_base_ = ["./wsegpc-cmg.py"]
data = {{_base_.folds.Area_2}}
