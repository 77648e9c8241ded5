# CMG and region-point consistency from the weights of wsegpc-cmg, at quickstart size.
_base_ = ["./wsegpc-cmg.py"]

seed = 2463  # other samples than those of wsegpc-cmg
optimizer = dict(lr=0.0015)
model = dict(guidance_warmup=1, consistency_3d=1.0, consistency_2d=1.0, consistency_warmup=100)
