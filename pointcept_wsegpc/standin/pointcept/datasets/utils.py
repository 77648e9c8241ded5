"""Samples to batch: arrays are concatenated along their first dimension, never stacked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch.utils.data import default_collate

from pointcept.limits import NotInStandIn


def collate_fn(batch: Sequence):
    """One batch from a list of samples, or of the values that samples have under one key.

    Tensors (n_i, ...) become (sum n_i, ...), strings a list, lists of numbers one tensor, scalars
    one tensor (B,). In a dictionary, keys that contain "offset" are ends of parts and keep counting
    from sample to sample.
    """
    first = batch[0]
    if isinstance(first, torch.Tensor):
        return torch.cat(list(batch))
    if isinstance(first, str):
        return list(batch)
    if isinstance(first, Mapping):
        return {key: _collate_key(key, [sample[key] for sample in batch]) for key in first}
    if isinstance(first, Sequence):
        return torch.cat([torch.tensor(values) for values in batch])
    return default_collate(batch)


def _collate_key(key: str, values: list):
    if "correspondence" in key:
        raise NotInStandIn(f"Point-image correspondences (key {key!r}) are")
    if "offset" not in key:
        return collate_fn(values)
    counts = [torch.diff(ends, prepend=ends.new_zeros(1)) for ends in values]
    return torch.cat(counts).cumsum(0)


def point_collate_fn(batch: Sequence[Mapping], mix_prob: float = 0) -> dict:
    """`collate_fn` of samples that are dictionaries; scenes are never merged here."""
    if mix_prob > 0:
        raise NotInStandIn(f"mix_prob = {mix_prob} is")
    return collate_fn(batch)
