"""Optimizers, with parameter groups chosen by a keyword in the parameter's name."""

from __future__ import annotations

import torch

from pointcept.utils.registry import Registry

OPTIMIZERS = Registry("optimizers")
for _optimizer in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW):
    OPTIMIZERS.register_module(module=_optimizer)


def build_optimizer(cfg, model: torch.nn.Module, param_dicts=None) -> torch.optim.Optimizer:
    """Optimizer over ``model``.

    ``param_dicts`` is a list of ``dict(keyword=..., lr=..., momentum=..., weight_decay=...)``; a
    parameter joins the first entry whose keyword its name contains, else the default group, which
    comes first.
    """
    if param_dicts is None:
        return OPTIMIZERS.build(dict(cfg, params=model.parameters()))
    groups = [{"params": [], "lr": cfg["lr"]}]
    groups += [dict({k: v for k, v in d.items() if k != "keyword"}, params=[]) for d in param_dicts]
    keywords = [d["keyword"] for d in param_dicts]
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            matches = (i for i, keyword in enumerate(keywords, start=1) if keyword in name)
            groups[next(matches, 0)]["params"].append(parameter)
    return OPTIMIZERS.build(dict(cfg, params=groups))
