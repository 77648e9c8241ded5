"""Writing a prepared scene (schema.py), of whatever capture: whole or not at all.

A capture has `name`, `split`, `root` (of the prepared data set) and `target` (the scene's folder).
Frames are an iterable of `View` (frames.py), all of one `size` (H, W), with their `log`.
"""

import contextlib
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..files import link_or_copy, read_json, write_array
from ..labels import IGNORE
from ..schema import Views, read_points, write_view_image, write_views

PARTIAL = ".partial"  # folder of the data root where scenes are made, unseen by readers


def outside(root, *given):
    """Absolute paths of an output folder and of what is read, any of which may be None.

    Raises ValueError for an output folder that lies in what is read.
    """
    root, *given = (path and Path(path).expanduser().resolve() for path in (root, *given))
    for source in filter(None, given):
        if source == root or source in root.parents:
            raise ValueError(f"output {root} lies inside {source}; choose a folder beside it")
    return root, *given


def is_prepared(capture, settings):
    """Whether the scene is there, made with the same settings (a dataclass)."""
    manifest = capture.target / "manifest.json"
    return manifest.is_file() and read_json(manifest).get("settings") == asdict(settings)


@contextlib.contextmanager
def staged(capture):
    """A folder out of sight that becomes the capture's scene whole, or vanishes on failure."""
    target = capture.target
    if target.exists() and not (target / "manifest.json").is_file():
        raise FileExistsError(f"{target} is no prepared scene (no manifest.json); move it away")
    folder = capture.root / PARTIAL / capture.split / capture.name
    outdated = folder.with_name(f"{folder.name}.outdated")
    for leftover in (folder, outdated):  # of a run that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            target.rename(outdated)
        folder.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(outdated, ignore_errors=True)


def store_points(folder, points):
    """Write the point arrays {name: (N, ...)}."""
    for key, array in points.items():
        write_array(folder / f"{key}.npy", array)


def link_points(source, folder, needed=("coord", "color", "normal")):
    """Put the arrays of a preprocessed scene into the folder as they are; {name: array}.

    FileNotFoundError for one of `needed` that is missing, ValueError where lengths differ.
    """
    files = sorted(Path(source).glob("*.npy"))
    points = read_points(source, sorted({*needed, *(path.stem for path in files)}))
    for path in files:
        link_or_copy(path, folder / path.name)
    return points


def store_views(folder, frames, labels=None, axis_alignment=None):
    """Write the images of all frames and views.npz; returns the manifest's entries about them.

    labels: has `kind` and `read(view, frames)` -> (H, W) or None, as those of view_labels.py.
    axis_alignment: world-to-gravity matrix (4, 4). Without a frame views.npz holds none: the caller
    decides what that means.
    """
    kept, unlabelled = [], []
    for view in frames:
        write_view_image(folder, view.frame, "color", view.color)
        write_view_image(folder, view.frame, "depth", view.depth)
        if labels:
            label = labels.read(view, frames)
            if label is None:
                unlabelled.append(view.frame)
                label = np.full(frames.size, IGNORE)
            write_view_image(folder, view.frame, "label", label)
        kept.append((view.frame, view.intrinsic, view.world_to_camera))
    number, intrinsic, world_to_camera = zip(*kept, strict=True) if kept else ((), (), ())
    align = np.eye(4) if axis_alignment is None else axis_alignment
    write_views(folder, Views(number, intrinsic, world_to_camera, frames.size, align))
    return {
        "num_views": len(kept),
        "frames": asdict(frames.log),
        "view_labels": labels.kind if labels else None,
        "unlabelled": unlabelled,
    }
