# Class activation with cross-modal guidance (CMG), the first part of stage one: 50 epochs x loop 16.
_base_ = ["./wsegpc-cam.py"]

model = dict(
    guidance_3d="contrastive",
    guidance_2d="contrastive",
    guidance_weight=0.05,
    guidance_warmup=2400,
    temperature=0.07,
    num_pairs=512,
)
