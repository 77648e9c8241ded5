# Class activation from tags alone: the baseline. 50 epochs x loop 4.
_base_ = ["../_base_/stage1.py"]

model = dict(
    guidance_3d="none",
    guidance_2d="none",
    rpc_3d_weight=0.0,
    rpc_2d_weight=0.0,
)
