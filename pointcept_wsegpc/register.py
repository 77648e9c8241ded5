"""The one import that fills Pointcept's registries with everything of this plugin.

Configs name it in `custom_imports`. That reaches only the process that reads the config, and
Pointcept pickles the config to the processes that it spawns for several GPUs. So pickling a config
goes through `restore_config` of this module, and unpickling it imports us there, too, and whatever
else the config names.
"""

import copyreg
import importlib

from . import renames
from .host import ensure_pointcept
from .registry import load_plugins

ensure_pointcept(quiet=True)

from pointcept.datasets.builder import DATASETS  # noqa: E402
from pointcept.engines.hooks.builder import HOOKS  # noqa: E402
from pointcept.models.builder import MODELS  # noqa: E402
from pointcept.utils.config import Config  # noqa: E402

from .datasets import multiview, pseudo_label  # noqa: E402
from .hooks import ema, evaluator, guard, progress, pseudo_labels, sampling, scene_tags  # noqa: E402
from .models import mink_unet, wsegpc  # noqa: E402
from .transforms import registered  # noqa: E402

REGISTERED = (
    multiview,
    pseudo_label,
    ema,
    evaluator,
    guard,
    progress,
    pseudo_labels,
    sampling,
    scene_tags,
    mink_unet,
    wsegpc,
    registered,
)


for registry, names in (
    (DATASETS, renames.DATASETS),
    (HOOKS, renames.HOOKS),
    (MODELS, renames.MODELS),
):
    renames.refuse_types(registry, names)


def restore_config(state):
    """Rebuild a pickled config; that this function had to be imported has registered us."""
    config = Config.__new__(Config)
    config.__setstate__(state)
    modules = config.get("custom_imports", {}).get("imports", [])
    for module in [modules] if isinstance(modules, str) else modules:
        importlib.import_module(module)
    return config


def reduce_config(config):
    return restore_config, (config.__getstate__(),)


copyreg.pickle(Config, reduce_config)

# Last, so that a plugin may import anything of ours.
load_plugins()
