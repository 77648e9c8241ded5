# Class activation with cross-modal guidance: iterations 1 to 1600 of 2400.
_base_ = ["./wsegpc-cam.py"]

epoch = 100

model = dict(guidance_3d="contrastive", guidance_2d="contrastive", guidance_warmup_iters=100)
