# Stage two with our Mink U-Net 18C, as the paper says.
_base_ = ["../_base_/stage2.py"]
