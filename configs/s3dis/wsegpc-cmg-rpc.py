# CMG and region-point consistency (RPC), from the weights of wsegpc-cmg: 25 epochs x loop 16.
_base_ = ["./wsegpc-cmg.py"]

seed = 2463  # other samples than those of wsegpc-cmg
epoch = 400
eval_epoch = 25
optimizer = dict(lr=0.05)

model = dict(
    guidance_warmup=1,
    consistency_3d=1.0,
    consistency_2d=1.0,
    consistency_warmup=2400,
    threshold=0.8,
    adaptive=True,
)
