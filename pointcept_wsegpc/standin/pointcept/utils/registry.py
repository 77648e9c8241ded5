from __future__ import annotations

import inspect

from mmengine.registry import Registry as _Registry

from pointcept.limits import NotInStandIn


class Registry(_Registry):
    """mmengine's registry; refuses names, and arguments of the stand-in's own, that it lacks."""

    def __init__(self, name: str):
        super().__init__(name, scope="pointcept")

    def build(self, cfg, *args, **kwargs):
        name = cfg.get("type")
        kind = self.module_dict.get(name)
        if isinstance(name, str) and kind is None:
            raise NotInStandIn(f"{name!r} was not registered under {self.name} and is")
        if kind is not None and kind.__module__.startswith("pointcept."):
            parameters = inspect.signature(kind).parameters.values()
            unknown = cfg.keys() - {"type", *(parameter.name for parameter in parameters)}
            if unknown and all(p.kind != p.VAR_KEYWORD for p in parameters):
                raise NotInStandIn(f"{', '.join(sorted(unknown))} of {name} is")
        return super().build(cfg, *args, **kwargs)
