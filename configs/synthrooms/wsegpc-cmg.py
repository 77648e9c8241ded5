# Class activation with cross-modal guidance: iterations 1 to 800 of 1600.
_base_ = ["./wsegpc-cam.py"]

epoch = 50

model = dict(guidance_3d="contrastive", guidance_2d="contrastive", guidance_warmup=100)
