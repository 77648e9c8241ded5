"""Registry of named components."""

from __future__ import annotations

import inspect

from mmengine.registry import Registry as _Registry

from pointcept.limits import NotInStandIn


class Registry(_Registry):
    """mmengine's registry; a name, or an argument of ours, that it does not hold is refused with a
    pointer to Pointcept."""

    def __init__(self, name: str):
        super().__init__(name, scope="pointcept")

    def build(self, cfg, *args, **kwargs):
        name = cfg.get("type")
        if isinstance(name, str) and name not in self.module_dict:
            raise NotInStandIn(f"{name!r} was not registered under {self.name} and is")
        kind = self.module_dict.get(name)
        if kind is not None and kind.__module__.startswith("pointcept."):
            parameters = inspect.signature(kind).parameters.values()
            if all(parameter.kind != parameter.VAR_KEYWORD for parameter in parameters):
                unknown = cfg.keys() - {"type", *(parameter.name for parameter in parameters)}
                if unknown:
                    raise NotInStandIn(f"{', '.join(sorted(unknown))} of {name} is")
        return super().build(cfg, *args, **kwargs)
