"""Opens and closes a pseudo-label store, whose labels are of one set of weights and settings."""

import hashlib
import shutil
from pathlib import Path

import numpy as np

from .. import schema
from ..files import read_json, write_json
from ..metrics import coverage, iou, mean_iou

RUN_FILE = "run.json"  # what an unfinished export belongs to; the manifest marks a finished one


def weights_hash(network):
    """SHA-256 (16 hex digits) of a module's state: names, shapes and values."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def open_store(store, network, settings, log):
    """Make a store ready for these weights and settings; labels of others are removed, aloud."""
    store = Path(store)
    run = {"weights": weights_hash(network), **settings}
    found = read_json(store / RUN_FILE) if (store / RUN_FILE).is_file() else None
    if found == run:
        return
    stale = list(store.glob("*.npz"))
    if stale:
        log(f"{store}: removing {len(stale)} labels of other weights or settings")
    for path in stale:
        path.unlink()
    shutil.rmtree(store / schema.MEASURES, ignore_errors=True)
    (store / schema.STORE_MANIFEST).unlink(missing_ok=True)
    write_json(store / RUN_FILE, run)


def finish_store(store, scenes, names, config):
    """Write the manifest over all scenes' files.

    Returns: the manifest, and the summed confusion of each measure ({} without ground truth).
    """
    store = Path(store)
    confusions, labelled, points = {}, 0.0, 0
    for scene in scenes:
        with np.load(store / f"{scene}.npz") as stored:
            label = stored["label"]
        labelled += coverage(label) * len(label)
        points += len(label)
        with np.load(schema.measures_path(store, scene)) as stored:
            for measure in stored.files:
                confusions[measure] = confusions.get(measure, 0) + stored[measure]
    manifest = {
        **read_json(store / RUN_FILE),
        "config": config,
        "names": list(names),
        "scenes": len(scenes),
        "points": points,
        "coverage": labelled / points,
        "miou": {measure: mean_iou(counts) for measure, counts in confusions.items()},
        "iou": {
            measure: {
                name: None if np.isnan(value) else float(value)
                for name, value in zip(names, iou(counts), strict=False)
            }
            for measure, counts in confusions.items()
        },
    }
    write_json(store / schema.STORE_MANIFEST, manifest)
    return manifest, confusions
