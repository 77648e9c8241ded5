# Class activation from the weights of wsegpc-cam: second part of the baseline, as wsegpc-cmg-rpc.
_base_ = ["./wsegpc-cam.py"]

epoch = 36
seed = 2463  # other samples than those of wsegpc-cam
optimizer = dict(lr=0.0015)
param_dicts = [dict(keyword="_head", lr=0.015)]
