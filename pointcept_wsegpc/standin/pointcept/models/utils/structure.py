"""Point: a batch of point clouds under named arrays."""

from __future__ import annotations

from addict import Dict

from . import batch2offset, offset2batch


class Point(Dict):
    """Named arrays, also as attributes; of ``offset`` and ``batch`` one gives the other."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if "offset" in self and "batch" not in self:
            self["batch"] = offset2batch(self["offset"])
        elif "batch" in self and "offset" not in self:
            self["offset"] = batch2offset(self["batch"])
