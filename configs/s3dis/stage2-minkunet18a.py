# Stage two on S3DIS with our Mink U-Net 18A, as the authors' config does.
_base_ = ["./stage2-minkunet18c.py"]

model = dict(backbone=dict(arch="18A"))
