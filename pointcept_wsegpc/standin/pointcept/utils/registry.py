"""Registry of named components."""

from __future__ import annotations

from mmengine.registry import Registry as _Registry

from pointcept.limits import NotInStandIn


class Registry(_Registry):
    """mmengine's registry; a name that it does not hold is refused with a pointer to Pointcept."""

    def __init__(self, name: str):
        super().__init__(name, scope="pointcept")

    def build(self, cfg, *args, **kwargs):
        name = cfg.get("type")
        if isinstance(name, str) and name not in self.module_dict:
            raise NotInStandIn(f"{name!r} was not registered under {self.name} and is")
        return super().build(cfg, *args, **kwargs)
