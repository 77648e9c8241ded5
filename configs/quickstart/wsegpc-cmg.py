# Class activation with cross-modal guidance, at quickstart size.
_base_ = ["./wsegpc-cam.py"]

model = dict(guidance_3d="contrastive", guidance_2d="contrastive", guidance_warmup_iters=100)
