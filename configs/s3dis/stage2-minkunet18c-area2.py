# stage2-minkunet18c with Area 2 held out in place of Area 5, for the six-fold result.
_base_ = ["./stage2-minkunet18c.py"]
data = {{_base_.folds.Area_2}}
