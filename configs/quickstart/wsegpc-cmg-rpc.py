# CMG and region-point consistency from the weights of wsegpc-cmg, at quickstart size.
_base_ = ["./wsegpc-cmg.py"]

epoch = 36
seed = 2463  # other samples than those of wsegpc-cmg
optimizer = dict(lr=0.0015)
param_dicts = [dict(keyword="_head", lr=0.015)]
model = dict(guidance_warmup_iters=1, rpc_3d_weight=1.0, rpc_2d_weight=1.0, rpc_warmup_iters=100)
