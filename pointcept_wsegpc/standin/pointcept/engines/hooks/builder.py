from pointcept.utils.registry import Registry

HOOKS = Registry("hooks")


def build_hooks(cfg) -> list:
    return [HOOKS.build(hook_cfg) for hook_cfg in cfg]
