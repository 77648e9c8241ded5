"""Losses run in float32 whatever the surrounding autocast does."""

import functools

import torch


def full_precision(function):
    """Run `function` outside autocast, its half-precision tensor arguments cast to float32.

    A similarity over thousands of channels, an exponential or a sum over a million pixels overflow
    or round away in float16; the casts are exact, so nothing is lost in float32 training.
    """

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        tensors = [a for a in (*args, *kwargs.values()) if isinstance(a, torch.Tensor)]
        device = tensors[0].device.type if tensors else "cpu"
        with torch.autocast(device, enabled=False):
            return function(*map(_float, args), **{k: _float(v) for k, v in kwargs.items()})

    return wrapper


def _float(value):
    if isinstance(value, torch.Tensor) and value.dtype in (torch.float16, torch.bfloat16):
        return value.float()
    return value
