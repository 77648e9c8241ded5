# Class activation with cross-modal guidance (CMG), the first part of stage one: 50 epochs x loop 16.
_base_ = ["./wsegpc-cam.py"]

model = dict(
    guidance_3d="contrastive",
    guidance_2d="contrastive",
    guidance_3d_weight=0.05,
    guidance_2d_weight=0.05,
    guidance_warmup_iters=2400,
    guidance_temperature=0.07,
    max_pairs=512,
)
