"""The start of a linear head on a 3D network.

D feature channels, C classes.
"""

from __future__ import annotations

from torch import nn

from ..registry import check_choice

HEAD_INITS = ("uniform", "kaiming")


def init_head(head: nn.Linear, init: str) -> None:
    """Draw the weights (C, D) of a head anew, or leave them as they are ("uniform").

    "uniform" is nn.Linear's own start. "kaiming" is the authors': normal, of variance 2 / D, some
    2.4 times as wide. Theirs is Kaiming's rule over the fan-out, but of a sparse convolution's
    kernel, which is (D, C): D is nn.Linear's fan-in.
    """
    check_choice("init", init, HEAD_INITS)
    if init == "kaiming":
        nn.init.kaiming_normal_(head.weight, mode="fan_in", nonlinearity="relu")
