# Stage two with our Mink U-Net 18A, as the authors' config does.
_base_ = ["../_base_/stage2.py"]

model = dict(backbone=dict(arch="18A"))
