"""The one import that fills Pointcept's registries with everything of this plugin.

Configs name it in `custom_imports`. That reaches only the process that reads the config, and
Pointcept pickles the config to the processes that it spawns for several GPUs. So pickling a config
goes through `restore_config` of this module, and unpickling it imports us there, too.
"""

import copyreg

from .host import ensure_pointcept

ensure_pointcept(quiet=True)

from pointcept.utils.config import Config  # noqa: E402

from .datasets import multiview, pseudo_label, s3dis, scannet  # noqa: E402
from .hooks import ema, evaluator, progress, pseudo_labels, sampling, scene_tags  # noqa: E402
from .models import mink_unet, wsegpc  # noqa: E402
from .transforms import registered  # noqa: E402

REGISTERED = (
    multiview,
    pseudo_label,
    s3dis,
    scannet,
    ema,
    evaluator,
    progress,
    pseudo_labels,
    sampling,
    scene_tags,
    mink_unet,
    wsegpc,
    registered,
)


def restore_config(state):
    """Rebuild a pickled config; that this function had to be imported has registered us."""
    config = Config.__new__(Config)
    config.__setstate__(state)
    return config


def reduce_config(config):
    return restore_config, (config.__getstate__(),)


copyreg.pickle(Config, reduce_config)
