"""Label stores for tests of what reads them."""

import numpy as np

from pointcept_wsegpc.contracts.classes import ClassTable
from pointcept_wsegpc.contracts.label_store import LabelStore

SCANNET20 = ClassTable.shipped("scannet20")


def write_store(folder, scenes, names=SCANNET20.names, quality=None):
    """A finished store of {scene: label (N,) or (label (N,), confidence (N,))}; returns it."""
    store = LabelStore(folder, names, {"made_by": "a test"}).open(scenes)
    for scene, labels in scenes.items():
        label, confidence = labels if isinstance(labels, tuple) else (labels, np.ones(len(labels)))
        store.write(scene, label, confidence)
    store.finish(quality)
    return store
