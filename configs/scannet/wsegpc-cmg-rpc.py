# CMG and region-point consistency (RPC), from the weights of wsegpc-cmg: 25 epochs x loop 4.
_base_ = ["./wsegpc-cmg.py"]

seed = 2463  # other samples than those of wsegpc-cmg
epoch = 100
eval_epoch = 25
optimizer = dict(lr=0.05)

model = dict(
    cam_warmup_iters=1,
    guidance_warmup_iters=1,
    rpc_3d_weight=1.0,
    rpc_2d_weight=1.0,
    rpc_warmup_iters=2400,
    rpc_threshold=0.8,
    rpc_adaptive=True,
)
