"""Samples to batch: arrays are concatenated along their first dimension, never stacked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from pointcept.limits import NotInStandIn


def collate_fn(batch: Sequence[Mapping]) -> dict:
    """One batch from samples with the same keys.

    Tensors (n_i, ...) become (sum n_i, ...), all else a list. Keys that contain "offset" are ends
    of parts and keep counting from sample to sample.
    """
    return {key: _collate_key(key, [sample[key] for sample in batch]) for key in batch[0]}


def _collate_key(key: str, values: list):
    if "correspondence" in key:
        raise NotInStandIn(f"Point-image correspondences (key {key!r}) are")
    if not isinstance(values[0], torch.Tensor):
        return values
    if "offset" in key:
        counts = [torch.diff(ends, prepend=ends.new_zeros(1)) for ends in values]
        return torch.cat(counts).cumsum(0)
    return torch.cat(values)


point_collate_fn = collate_fn  # Pointcept's also merges scenes, where mix_prob says so
