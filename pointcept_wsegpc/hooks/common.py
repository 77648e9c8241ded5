"""Helpers shared by several hooks."""

import numpy as np
import torch

from ..losses.distributed import sum_over_processes

REGIONS = {"region.npy": "write it with `wsegpc regions`"}  # see check_files


def unwrap(model):
    """The model itself, inside DistributedDataParallel or not."""
    return getattr(model, "module", model)


def sum_confusion(counts, device):
    """Sum a confusion matrix over all processes, numpy in and out."""
    return sum_over_processes(torch.from_numpy(np.asarray(counts)).to(device)).cpu().numpy()


def write_scalars(trainer, scalars, step):
    """Add {name: value} to the trainer's tensorboardX writer, on the process that has one."""
    if trainer.writer is not None:
        for name, value in scalars.items():
            trainer.writer.add_scalar(name, value, step)


def finite_tensors(network):
    """Names of the floating-point tensors of a state, and which are finite throughout, bool."""
    state = {k: v for k, v in network.state_dict().items() if v.is_floating_point()}
    # A norm is one pass over all; a sum of squares that overflows float32 is no weight of use.
    return list(state), torch.stack(torch._foreach_norm([*state.values()])).isfinite()


def check_finite(network, what):
    """Raise ValueError where a network has weights that are NaN or infinite: so are its labels."""
    names, finite = finite_tensors(network)
    for name, fine in zip(names, finite.tolist(), strict=True):
        if not fine:
            raise ValueError(f"{name} of {what} is not finite; use an earlier checkpoint")


def check_files(dataset, names):
    """Raise FileNotFoundError where scenes of a data set lack files: {name: how they are made}."""
    scenes = dict(zip(dataset.scene_keys, dataset.scenes, strict=True))
    for name, made in names.items():
        lacking = [key for key, scene in scenes.items() if not (scene / name).is_file()]
        if lacking:
            raise FileNotFoundError(
                f"{len(lacking)} of {len(scenes)} scenes of {dataset.split} have no {name}, "
                f"{lacking[0]} first; {made}"
            )
