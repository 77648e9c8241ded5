from copy import deepcopy

from pointcept.utils.registry import Registry

MODELS = Registry("models")


def build_model(cfg):
    # A model may edit its settings; the configuration that is dumped and logged stays as it is.
    return MODELS.build(deepcopy(cfg))
