"""Ids and offsets of a batch: what is numbered per sample becomes unique over the batch.

Shapes: N points of B samples; offset (B,) holds the cumulative ends.
"""

import torch

from ..losses.ragged import scene_index


def starts(offset):
    """First index of every sample, (B,), from the cumulative ends (B,)."""
    return torch.cat([offset.new_zeros(1), offset[:-1]])


def unique_ids(ids, offset):
    """Ids (N,) that start at 0 in every sample -> ids without collision; negative ids become -1."""
    ids = ids.long()
    sample = scene_index(offset)
    last = torch.full((len(offset),), -1, device=ids.device)
    last = last.scatter_reduce(0, sample, ids, "amax")
    start = starts((last + 1).cumsum(0))
    return torch.where(ids < 0, -1, ids + start[sample])


def shift_index(index, offset, target_offset):
    """Index (N,) into a sample's own target rows -> into the batch's, by (B,) ends of both."""
    return index + starts(target_offset)[scene_index(offset)]


def prefixed(input_dict, prefix):
    """The entries `<prefix>_<key>` of a batch under their plain names, for a backbone to read."""
    cut = len(prefix) + 1
    return {k[cut:]: v for k, v in input_dict.items() if k.startswith(f"{prefix}_")}
