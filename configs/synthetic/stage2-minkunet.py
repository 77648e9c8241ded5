# Stage two with a slim Mink U-Net, at quickstart size.
_base_ = ["../_base_/stage2.py"]
